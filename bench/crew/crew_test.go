package crew

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// The test binary is the worker, too, as lab is; and workers are started from the
// main thread, as testbed.Spawn wants.
func init() { runtime.LockOSThread() }

var onMain = make(chan func())

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == Arg {
		os.Exit(Work(map[string]Duty{"echo": echo, "panic": func(*Post) any { panic("as asked") }, "dial": dial}))
	}
	done := make(chan int)
	go func() { done <- m.Run() }()
	for {
		select {
		case f := <-onMain:
			f()
		case code := <-done:
			os.Exit(code)
		}
	}
}

// echo tells each byte that it is told, and ends with what is in its file at 'q'.
func echo(p *Post) any {
	var job struct{ Greeting string }
	if err := p.Job(&job); err != nil {
		return err.Error()
	}
	p.Tell(job.Greeting)
	quit := make(chan struct{})
	go p.Obey(func(b byte) {
		p.Tell(string(b))
		if b == 'q' {
			close(quit)
		}
	})
	<-quit
	text, err := io.ReadAll(p.File("note"))
	return fmt.Sprint(string(text), err, p.File("other") == nil)
}

func dial(p *Post) any {
	open, err := p.Dial()
	if err != nil {
		return err.Error()
	}
	c, err := open()
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	line, err := bufio.NewReader(c).ReadString('\n')
	return fmt.Sprint(line, err)
}

func spawn(t *testing.T, o Order) *Worker {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root; fix: sudo make test")
	}
	type started struct {
		w   *Worker
		err error
	}
	c := make(chan started)
	onMain <- func() {
		w, err := Spawn(o)
		go func() { c <- started{w, err} }()
	}
	s := <-c
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.w
}

// next is the worker's next event, a string.
func next(t *testing.T, w *Worker) string {
	t.Helper()
	select {
	case e, ok := <-w.Events():
		var s string
		if ok && json.Unmarshal(e, &s) == nil {
			return s
		}
		return fmt.Sprint("no event: ", ok)
	case <-time.After(30 * time.Second):
		t.Fatal("the worker is silent")
	}
	return ""
}

func TestWorker(t *testing.T) {
	note, err := os.Create(filepath.Join(t.TempDir(), "note"))
	if err != nil {
		t.Fatal(err)
	}
	defer note.Close()
	note.WriteString("written")
	note.Seek(0, io.SeekStart)
	w := spawn(t, Order{Duty: "echo", Job: map[string]string{"Greeting": "hello"}, Files: []File{{"note", note}}})
	w.Say('a')
	w.Say('q')
	for _, want := range []string{"hello", "a", "q", "written<nil> true", "no event: false"} {
		if got := next(t, w); got != want {
			t.Errorf("told %q, want %q", got, want)
		}
	}
	if said, err := w.Wait(); err != nil || said != "" {
		t.Errorf("%q, %v", said, err)
	}
}

// A worker that is killed, that panics, or that is told of no duty: its events
// end, and Wait says why.
func TestWorkerDies(t *testing.T) {
	w := spawn(t, Order{Duty: "echo", Job: map[string]string{"Greeting": "hello"}})
	next(t, w)
	w.Kill()
	if got := next(t, w); got != "no event: false" {
		t.Errorf("told %q", got)
	}
	if _, err := w.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("killed: %v", err)
	}
	for duty, want := range map[string]string{"panic": "panic: as asked", "nothing": `no duty "nothing"`} {
		w := spawn(t, Order{Duty: duty})
		for range w.Events() {
		}
		if said, err := w.Wait(); err == nil || !strings.Contains(said, want) {
			t.Errorf("%s: %v, said %q", duty, err, said)
		}
	}
}

// A worker reaches what its supervisor reaches, though it has no network.
func TestPassage(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprintln(c, "from outside")
			c.Close()
		}
	}()
	for want, p := range map[string]*Passage{
		"from outside\n<nil>": {Dial: func() (net.Conn, error) { return net.Dial("tcp", l.Addr().String()) }},
		"not today":           {Dial: func() (net.Conn, error) { return nil, errors.New("not today") }},
	} {
		w := spawn(t, Order{Duty: "dial", Passage: p})
		if got := next(t, w); got != want {
			t.Errorf("told %q, want %q", got, want)
		}
		if _, err := w.Wait(); err != nil {
			t.Error(err)
		}
	}
}

func TestKeepTail(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		fmt.Fprint(w, "first\n", strings.Repeat("x", 300<<10), "\nlast")
		w.Close()
	}()
	said := keepTail(r)
	if !strings.HasPrefix(said, "first\n") || !strings.HasSuffix(said, "\nlast") || len(said) > 200<<10 || !strings.Contains(said, " bytes …") {
		t.Errorf("%d bytes, %.20q … %q", len(said), said, said[max(0, len(said)-20):])
	}
	if got := Excerpt(strings.Repeat("line\n", 20)); strings.Count(got, "\n") != 9 || !strings.HasSuffix(got, "logs/worker.log)") {
		t.Errorf("%q", got)
	}
	if Excerpt(" \n") != "" {
		t.Error("nothing was said")
	}
}
