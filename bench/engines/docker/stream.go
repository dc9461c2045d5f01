package docker

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"lab/bench"
	"lab/bench/launch"
)

// An output is where the lab reads what a program writes, if anywhere.
type output struct{ io *stream }

// Ready is the read end of the pipe that the program's output goes to, or nil.
func (o *output) Ready() *os.File {
	if o.io == nil {
		return nil
	}
	return o.io.ready
}

// Terminal is the master end of the program's new terminal, or nil.
func (o *output) Terminal() *os.File {
	if o.io == nil {
		return nil
	}
	return o.io.master
}

// A stream is what goes between a container and the descriptors of its command: one
// connection to the engine, in which output and errors take turns.
type stream struct {
	in, out, errs *os.File // nil: none is sent, or what comes is thrown away
	ready         *os.File // read end of the pipe that out writes to, where no output was given
	master, slave *os.File // the terminal that was made, or nil
	tty           *os.File // the terminal that stands for the container's, or nil
	saved         *term.State
	kill          func() // ends a program whose output nobody takes

	began  bool          // there is a pump
	first  chan struct{} // closed with the first byte of output
	once   sync.Once
	lost   error // of the output's pump
	pumped chan struct{}
	end    launch.Latch // the program has ended
	input  sync.WaitGroup
	over   sync.Once
}

// newStream opens what a command leaves open.
func newStream(c bench.Command) (s *stream, err error) {
	given := func(f *os.File) *os.File {
		if f == launch.Null {
			return nil
		}
		return f
	}
	s = &stream{in: given(c.Stdin), out: given(c.Stdout), errs: given(c.Stderr), first: make(chan struct{}), pumped: make(chan struct{})}
	if s.end, err = launch.NewLatch(); err != nil {
		return nil, err
	}
	switch {
	case c.TTY:
		if s.tty = c.Stdin; s.tty == nil {
			if s.master, s.slave, err = launch.OpenTerminal(unix.AT_FDCWD, "/dev/ptmx"); err != nil {
				return s, err
			}
			s.tty = s.slave
		}
		if s.in = s.tty; s.out == nil {
			s.out = s.tty
		}
		if s.saved, err = term.MakeRaw(int(s.tty.Fd())); err != nil { // the container's own does echo and Ctrl-C
			return s, fmt.Errorf("a terminal is wanted: %w", err)
		}
	case c.Stdout == nil:
		// Blocking ends: a blocking read is the faster one.
		var fds [2]int
		if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
			return s, fmt.Errorf("ready pipe: %w", err)
		}
		s.ready, s.out = os.NewFile(uintptr(fds[0]), "ready"), os.NewFile(uintptr(fds[1]), "stdout")
	}
	return s, nil
}

// A tap hands output on, says when the first comes, and remembers the first that nobody
// took; what comes after that is thrown away.
type tap struct {
	s *stream
	f *os.File
}

func (t tap) Write(b []byte) (int, error) {
	t.s.once.Do(func() { close(t.s.first) })
	if t.f == nil || t.s.lost != nil {
		return len(b), nil
	}
	if _, err := t.f.Write(b); err != nil {
		t.s.lost = err
		if t.s.ready == nil { // who waits for the first byte wants no more
			go t.s.kill()
		}
	}
	return len(b), nil
}

// begin lets what comes flow.
func (s *stream) begin(a client.ContainerAttachResult) error {
	s.began = true
	go func() {
		defer close(s.pumped)
		if s.tty != nil {
			io.Copy(tap{s, s.out}, a.Reader)
			return
		}
		stdcopy.StdCopy(tap{s, s.out}, tap{s, s.errs}, a.Reader)
	}()
	if s.in == nil {
		return nil
	}
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return os.NewSyscallError("pipe2", err)
	}
	r, w := os.NewFile(uintptr(fds[0]), "input"), os.NewFile(uintptr(fds[1]), "input")
	s.input.Go(func() {
		launch.Drain(int(s.in.Fd()), int(w.Fd()), s.end)
		w.Close()
	})
	s.input.Go(func() {
		io.Copy(a.Conn, r)
		r.Close() // who writes on is told
		a.CloseWrite()
	})
	return nil
}

// finish is called after the program's end: it waits for the rest of the output, hands the
// end on, and leaves the terminal as it was.
func (s *stream) finish() {
	select {
	case <-s.pumped:
	case <-time.After(endWithin):
	}
	s.stop()
}

func (s *stream) stop() {
	s.over.Do(func() {
		s.end.Set()
		if s.saved != nil && s.slave == nil {
			term.Restore(int(s.tty.Fd()), s.saved)
		}
		if s.ready != nil {
			s.out.Close()
		}
		s.slave.Close() // nil mostly, likewise below
	})
}

// close closes what newStream opened. The connection has been closed.
func (s *stream) close() {
	s.stop()
	s.ready.Close()
	s.master.Close()
	if s.began {
		<-s.pumped
		s.input.Wait()
	}
	s.end.Close()
}

// failed is the error of a program that has ended and whose output was lost: what somebody
// stopped to read is none.
func (s *stream) failed() error {
	select {
	case <-s.pumped:
	default:
		return nil
	}
	if s.lost == nil || s.ready != nil || errors.Is(s.lost, unix.EPIPE) {
		return nil
	}
	return fmt.Errorf("some of what the program wrote is lost: %w", s.lost)
}
