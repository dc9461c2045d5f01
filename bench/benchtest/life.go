package benchtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"lab/bench"
	"lab/bench/clock"
	"lab/bench/image"
)

// The life of an instance: from Prepare to Close, in every order.

const kill = syscall.SIGKILL

func (s *suite) signals(t *testing.T) {
	i := s.running(t, "exec sleep 1000")
	if err := i.Signal(kill); err != nil {
		t.Fatal(err)
	}
	if exit := s.wait(t, i); exit.Status() != 128+9 || exit.Signal != 9 {
		t.Errorf("SIGKILL: %v, want signal 9", exit)
	}
	if err := i.Signal(syscall.SIGTERM); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("Signal after the end: %v, want os.ErrProcessDone", err)
	}
	s.needs(t, Signals)
	// One that the program handles: PID 1 of a namespace gets no other.
	armed := bench.Token()
	i = s.start(t, s.spec(t, sh("trap 'exit 42' TERM; printf %s "+armed+"; while :; do :; done")))
	s.await(t, i, armed)
	if err := i.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if exit := s.wait(t, i); exit.Code != 42 {
		t.Errorf("SIGTERM with a handler: %v, want exit status 42", exit)
	}
	s.needs(t, Init)
	// One that ends it, sent by itself: for that it mustn't be PID 1.
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGSEGV, syscall.SIGPIPE} {
		i = s.running(t, fmt.Sprintf("kill -%d $$; exit 3", sig), func(x *bench.Spec) { x.Init = true })
		if exit := s.wait(t, i); exit.Status() != 128+int(sig) {
			t.Errorf("%v: %v, want status %d", sig, exit, 128+int(sig))
		}
	}
}

func (s *suite) cancel(t *testing.T) {
	// Before the start: nothing is started.
	done, cancel := context.WithCancel(context.Background())
	cancel()
	i := s.prepareOne(t, s.spec(t, sh("sleep 1000")))
	if err := i.Start(done); !errors.Is(err, context.Canceled) {
		t.Errorf("Start with an ended context: %v", err)
	}
	if err := i.Close(); err != nil {
		t.Error(err)
	}
	// While it runs: Wait kills it, and says both what and how.
	i = s.running(t, "exec sleep 1000")
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(20*time.Millisecond, cancel)
	exit, err := i.Wait(ctx)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Wait with an ended context: %v", err)
	}
	if exit.Signal != 9 {
		t.Errorf("Wait with an ended context: %v, want signal 9", exit)
	}
	if err := i.Signal(kill); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("after Wait with an ended context it still runs (Signal: %v)", err)
	}
}

func (s *suite) close(t *testing.T) {
	// While it runs, and somebody waits.
	i := s.running(t, "exec sleep 1000")
	waited := make(chan struct{})
	go func() {
		i.Wait(context.Background())
		close(waited)
	}()
	for n := range 2 {
		if err := i.Close(); err != nil {
			t.Errorf("Close, call %d: %v", n+1, err)
		}
	}
	s.within(t, "Wait during Close", waited)
	if err := i.Signal(kill); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("Signal after Close: %v, want os.ErrProcessDone", err)
	}
	s.ends(t, "Wait after Close", func() { i.Wait(context.Background()) })

	// Before the start.
	i = s.prepareOne(t, s.spec(t, sh("sleep 1000")))
	for n := range 2 {
		if err := i.Close(); err != nil {
			t.Errorf("Close before Start, call %d: %v", n+1, err)
		}
	}
	if err := i.Start(s.context(t)); err == nil {
		t.Error("Start after Close gives no error")
	}
	s.ends(t, "Wait after Close without Start", func() {
		if _, err := i.Wait(context.Background()); err == nil {
			t.Error("Wait of what never ran gives no error")
		}
	})

	// After its end; the exit is still known.
	i = s.start(t, s.spec(t, sh("exit 7")))
	s.wait(t, i)
	if err := i.Close(); err != nil {
		t.Error(err)
	}
	if exit := s.wait(t, i); exit.Code != 7 {
		t.Errorf("Wait after the end and Close: %v, want exit status 7", exit)
	}

	// Many at once.
	i = s.running(t, "exec sleep 1000")
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if err := i.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()

	// While it starts.
	for range s.rounds(20) {
		i = s.prepareOne(t, s.spec(t, sh("sleep 1000")))
		started := make(chan error, 1)
		ctx := s.context(t)
		go func() { started <- i.Start(ctx) }()
		s.ends(t, "Close during Start", func() {
			if err := i.Close(); err != nil {
				t.Error(err)
			}
		})
		<-started
		if err := i.Signal(kill); !errors.Is(err, os.ErrProcessDone) {
			t.Fatalf("closed while it started, and it runs (Signal: %v)", err)
		}
	}
}

func (s *suite) order(t *testing.T) {
	i := s.prepareOne(t, s.spec(t, sh("exec sleep 1000")))
	if err := i.Signal(kill); err == nil {
		t.Error("Signal before Start gives no error")
	}
	s.ends(t, "Wait before Start", func() {
		if _, err := i.Wait(s.context(t)); err == nil {
			t.Error("Wait before Start gives no error")
		}
	})
	if err := i.Start(s.context(t)); err != nil {
		t.Fatal(err)
	}
	tr, traced := i.(bench.Tracer)
	var began clock.Time
	if traced {
		began = tr.Started()
	}
	if err := i.Start(s.context(t)); err == nil {
		t.Error("a second Start gives no error")
	}
	if traced && tr.Started() != began {
		t.Error("a second Start changed Started")
	}
	// The second one did the first no harm, and all who wait are told.
	exits := make(chan bench.Exit)
	for range 3 {
		go func() {
			exit, err := i.Wait(context.Background())
			if err != nil {
				t.Errorf("Wait: %v", err)
			}
			exits <- exit
		}()
	}
	if err := i.Signal(kill); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if exit := <-exits; exit.Signal != 9 {
			t.Errorf("Wait: %v, want signal 9", exit)
		}
	}
}

func (s *suite) many(t *testing.T) {
	n := 8
	if s.opts.Slow {
		n = 2
	}
	var all sync.WaitGroup
	for k := range n {
		token := bench.Token()
		i := s.prepareOne(t, s.spec(t, sh(fmt.Sprintf("printf %%s %s; read x; exit %d", token, k+1))))
		all.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), s.timeout)
			defer cancel()
			if err := i.Start(ctx); err != nil {
				t.Errorf("instance %d: Start: %v", k, err)
				return
			}
			if _, err := clock.AwaitToken(i.Ready(), []byte(token), s.timeout); err != nil {
				t.Errorf("instance %d: %v", k, err)
			}
			exit, err := i.Wait(ctx)
			if _, lacks := s.opts.Lacks[Status]; err != nil || !lacks && exit.Code != k+1 {
				t.Errorf("instance %d: %v, %v", k, exit, err)
			}
			if err := i.Close(); err != nil {
				t.Errorf("instance %d: Close: %v", k, err)
			}
		})
	}
	all.Wait()
}

// background looks for what a program left running in the background.
func (s *suite) background(t *testing.T) {
	s.needs(t, Background)
	before := takeSnapshot(t, s.tb, s.opts.Objects)
	token := bench.Token()
	i := s.start(t, s.spec(t, sh("sleep 1001 | (printf %s "+token+"; exec sleep 1002)")))
	s.await(t, i, token)                   // both are there
	if err := i.Signal(kill); err != nil { // the shell alone
		t.Fatal(err)
	}
	s.wait(t, i)
	if err := i.Close(); err != nil {
		t.Error(err)
	}
	for _, x := range takeSnapshot(t, s.tb, s.opts.Objects).since(before, "process") {
		t.Errorf("after Close: %s", x)
	}
}

func (s *suite) exec(t *testing.T) {
	s.needs(t, Exec)
	i := s.running(t, "exec sleep 1000")
	x, ok := i.(bench.Execer)
	if !ok {
		t.Fatalf("%s is no bench.Execer, and doesn't declare that", s.env.Name())
	}
	r, w := pipe(t)
	text := gather(r)
	cmd := sh("echo inside; exit 9")
	cmd.Stdout = w
	p, err := x.Exec(s.context(t), cmd)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(s.context(t)); err != nil {
		t.Fatal(err)
	}
	exit, err := p.Wait(s.context(t))
	if err != nil || exit.Code != 9 {
		t.Errorf("%v, %v, want exit status 9", exit, err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	w.Close()
	if got := clean(<-text); !strings.Contains(got, "inside\n") {
		t.Errorf("output %q", got)
	}
}

func (s *suite) readOnly(t *testing.T) {
	s.needs(t, ReadOnly)
	before, _, err := image.Sum(s.image.Dir)
	if err != nil {
		t.Fatal(err)
	}
	// Whether the write succeeds is the environment's affair.
	s.run(t, "echo x >/lab-was-here; echo x >>/etc/passwd; rm -f /etc/group; mkdir /lab-folder; chmod 700 /root; true", nil)
	after, _, err := image.Sum(s.image.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if before != after {
		t.Error("what the program wrote changed the image")
	}
	if out := s.run(t, "ls -d /lab-was-here 2>/dev/null; cat /etc/group | grep -c root", nil); out.text != "1\n" {
		t.Errorf("the next instance sees what this one did: %q", out.text)
	}
}

// ends runs f, which must end by itself.
func (s *suite) ends(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	s.within(t, what, done)
}

func (s *suite) within(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	late := time.NewTimer(s.timeout)
	defer late.Stop()
	select {
	case <-done:
	case <-late.C:
		t.Fatalf("%s doesn't end", what)
	}
}
