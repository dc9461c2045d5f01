package guest

import (
	"bytes"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"lab/bench"
	"lab/bench/launch"
	"lab/bench/probe/guestinit/wire"
)

// stdio is the host's side of a guest program's input and output.
type stdio struct {
	in, out, err *os.File // nil: nothing is sent, what comes is thrown away
	ready        *os.File // read end of the pipe that out writes to, where no output was given
	master       *os.File // of the terminal that was made, or nil
	slave        *os.File
	tty          *os.File // the terminal that stands for the guest's, or nil
	saved        *term.State
	stop         [2]int // a pipe whose write end is closed to stop the pump

	halt  chan struct{} // closed to stop the pump where it waits for credit
	pumps sync.WaitGroup

	lost error // why output got lost

	mu   sync.Mutex
	done bool
}

// newStdio opens what the command leaves open.
func newStdio(c bench.Command) (s *stdio, err error) {
	s = &stdio{in: c.Stdin, out: c.Stdout, err: c.Stderr, halt: make(chan struct{})}
	if err := unix.Pipe2(s.stop[:], unix.O_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("pipe2", err)
	}
	defer func() {
		if err != nil {
			s.close()
			s = nil
		}
	}()
	if c.TTY {
		s.tty = c.Stdin
		if s.tty == nil {
			if s.master, s.slave, err = launch.OpenTerminal(unix.AT_FDCWD, "/dev/ptmx"); err != nil {
				return s, err
			}
			s.tty = s.slave
		}
		s.in = s.tty
		if s.out == nil {
			s.out = s.tty
		}
		return s, s.raw()
	}
	if s.out == nil {
		if s.ready, s.out, err = pipe("stdout"); err != nil {
			return s, fmt.Errorf("ready pipe: %w", err)
		}
	}
	return s, nil
}

// raw makes the host's terminal a wire: the guest's own does echo, line editing
// and Ctrl-C (cfmakeraw(3)).
func (s *stdio) raw() error {
	return Control(s.tty, func(fd int) (err error) {
		if s.saved, err = term.MakeRaw(fd); err != nil {
			return fmt.Errorf("a terminal is wanted: %w", err)
		}
		return nil
	})
}

// size is the terminal's, or nil without one.
func (s *stdio) size() *wire.SizeBody {
	if s.tty == nil {
		return nil
	}
	b := &wire.SizeBody{}
	Control(s.tty, func(fd int) error {
		ws, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ)
		if err == nil {
			*b = wire.SizeBody{Rows: ws.Row, Cols: ws.Col}
		}
		return err
	})
	return b
}

// ctrlC is what a terminal that is a wire sends for Ctrl-C.
const ctrlC = 3

// pump sends the program's input, as far as there is credit, until its end or
// the program's. On a terminal the third Ctrl-C is the guest's end where the
// guest took neither of the two before: it halted, or stands still.
func (s *stdio) pump(p *Program) {
	if s.in == nil {
		return
	}
	buf := make([]byte, wire.Chunk)
	last := s.size()
	pressed := 0
	for {
		select {
		case <-p.credit:
		case <-s.halt:
			return
		case <-p.s.gone:
			return
		}
		n, stopped := s.read(buf)
		if stopped {
			return
		}
		if n <= 0 {
			p.s.write(wire.Frame{Kind: wire.InputEnd, ID: p.id})
			return
		}
		if s.tty == nil || !bytes.ContainsRune(buf[:n], ctrlC) || len(p.credit) == wire.Window-1 {
			pressed = 0 // or the guest took all that was typed before
		} else if pressed++; pressed == 2 && p.Unplug != nil {
			p.Unplug()
			return
		}
		if now := s.size(); now != nil && *now != *last {
			last = now
			p.s.send(wire.WindowSize, p.id, now)
		}
		if p.s.write(wire.Frame{Kind: wire.Input, ID: p.id, Payload: buf[:n]}) != nil {
			return
		}
	}
}

// read waits for input, in whatever mode the caller's descriptor is, and takes
// none once the program has ended: it isn't the program's any more.
func (s *stdio) read(buf []byte) (n int, stopped bool) {
	err := Control(s.in, func(fd int) (err error) {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(s.stop[0]), Events: unix.POLLIN}}
		for {
			if _, err := unix.Poll(fds, -1); err != nil && err != unix.EINTR {
				return err
			}
			if fds[1].Revents != 0 {
				stopped = true
				return nil
			}
			if fds[0].Revents == 0 {
				continue
			}
			if n, err = unix.Read(fd, buf); err != unix.EINTR && err != unix.EAGAIN {
				return err
			}
		}
	})
	if err != nil {
		n = 0
	}
	return n, stopped
}

// write hands output on, and says whether it is the first that nobody takes. What
// comes after that is thrown away.
func (s *stdio) write(f *os.File, b []byte) (lost bool) {
	if f == nil || s.lost != nil {
		return false
	}
	if _, err := f.Write(b); err != nil && s.ready == nil { // who waits for the first byte wants no more
		s.lost = err
	}
	return s.lost != nil
}

// finish ends the streams when the program has: the reader of Ready sees the
// end, and the terminal is what it was.
func (s *stdio) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		return
	}
	s.done = true
	close(s.halt)
	unix.Close(s.stop[1])
	if s.ready != nil {
		s.out.Close()
	}
	if s.saved != nil && s.slave == nil {
		Control(s.tty, func(fd int) error { return term.Restore(fd, s.saved) })
	}
	if s.slave != nil {
		s.slave.Close()
	}
}

// close closes what newStdio opened.
func (s *stdio) close() {
	s.finish()
	s.pumps.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stop[0] >= 0 {
		unix.Close(s.stop[0])
		s.stop[0] = -1
	}
	if s.ready != nil {
		s.ready.Close()
	}
	if s.master != nil {
		s.master.Close()
	}
}

// Control calls f with a file's descriptor, and leaves its mode as it is.
func Control(f *os.File, do func(fd int) error) error {
	rc, err := f.SyscallConn()
	if err != nil {
		return err
	}
	if cerr := rc.Control(func(fd uintptr) { err = do(int(fd)) }); cerr != nil {
		return cerr
	}
	return err
}
