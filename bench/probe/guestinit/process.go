package main

import (
	"errors"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/probe/guestinit/wire"
)

// A process is a program that the host asked for.
type process struct {
	id     uint32
	pid    int
	input  chan []byte // from the host; closed at its end
	stdin  *os.File    // our end, or nil
	master *os.File    // of its terminal, or nil
	group  *group
	ended  chan status
}

type status struct {
	ws unix.WaitStatus
	ru unix.Rusage
}

// run starts a program and answers. Its error is about the port; what the
// program's start lacks is told to the host.
func (s *server) run(id uint32, b wire.RunBody) error {
	p := &process{id: id, input: make(chan []byte, wire.Window+1), ended: make(chan status, 1)}
	streams, err := s.start(p, b)
	if err != nil {
		var f *failure
		if !errors.As(err, &f) {
			f = &failure{what: "start", errno: errnoOf(err)}
		}
		return s.send(wire.Failed, id, wire.FailedBody{What: f.what, Path: []byte(f.path), Errno: int(f.errno)})
	}
	if err := s.write(wire.Frame{Kind: wire.Started, ID: id}); err != nil {
		return err
	}
	go p.feed(s)
	go s.follow(p, streams)
	return nil
}

// A stream is one that the program writes to.
type stream struct {
	kind wire.Kind
	f    *os.File
}

// read reads what comes; after the stream's deadline what is there, and never
// waits.
func (x stream) read(buf []byte) (n int, err error) {
	if n, err = x.f.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
		return n, err
	}
	rc, err := x.f.SyscallConn()
	if err != nil {
		return 0, err
	}
	cerr := rc.Control(func(fd uintptr) { n, err = unix.Read(int(fd), buf) })
	return max(n, 0), errors.Join(cerr, err)
}

// follow sends what the program writes, and at last how it ended. A program's
// background jobs may hold its output open for ever: what they write after its
// end isn't waited for.
func (s *server) follow(p *process, streams []stream) {
	var open sync.WaitGroup
	for _, x := range streams {
		open.Add(1)
		go func() {
			defer open.Done()
			buf := make([]byte, wire.Chunk)
			for {
				n, err := x.read(buf)
				if n > 0 && s.write(wire.Frame{Kind: x.kind, ID: p.id, Payload: buf[:n]}) != nil {
					return
				}
				if err != nil || n == 0 { // of a terminal whose other end is closed: EIO
					return
				}
			}
		}()
	}
	end := <-p.ended
	for _, x := range streams {
		x.f.SetReadDeadline(time.Unix(1, 0))
	}
	open.Wait()
	s.mu.Lock()
	delete(s.procs, p.id)
	s.mu.Unlock()
	for _, x := range streams {
		x.f.Close()
	}
	b := wire.ExitedBody{
		Code:   end.ws.ExitStatus(),
		OOM:    p.group.oomKilled(),
		User:   end.ru.Utime.Nano(),
		System: end.ru.Stime.Nano(),
		MaxRSS: end.ru.Maxrss << 10, // getrusage(2) counts KiB
	}
	if end.ws.Signaled() {
		b.Code, b.Signal = -1, int(end.ws.Signal())
	}
	p.group.remove()
	s.send(wire.Exited, p.id, b)
}

// feed writes the host's input to the program, and gives credit for it.
func (p *process) feed(s *server) {
	for b := range p.input {
		if p.stdin != nil {
			// An error is the program's having closed its input: what
			// comes is thrown away, as a pipe's writer would be told.
			p.stdin.Write(b)
		}
		s.write(wire.Frame{Kind: wire.Credit, ID: p.id})
	}
	if p.stdin != nil && p.master == nil {
		p.stdin.Close()
	}
}

// resize sets the terminal's size; the kernel sends SIGWINCH.
func (p *process) resize(b wire.SizeBody) {
	if p.master == nil {
		return
	}
	if rc, err := p.master.SyscallConn(); err == nil {
		rc.Control(func(fd uintptr) {
			unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: b.Rows, Col: b.Cols})
		})
	}
}

// A failure is what kept a program from being executed.
type failure struct {
	what, path string
	errno      syscall.Errno
}

func (f *failure) Error() string { return f.what + " " + f.path + ": " + f.errno.Error() }

func errnoOf(err error) syscall.Errno {
	var e syscall.Errno
	if errors.As(err, &e) {
		return e
	}
	return syscall.EIO
}

// terminal makes a pseudo-terminal (pts(4)).
func terminal() (master, slave *os.File, err error) {
	master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	rc, err := master.SyscallConn()
	var n int
	if err == nil {
		cerr := rc.Control(func(fd uintptr) {
			if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err == nil {
				n, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
			}
		})
		if err == nil {
			err = cerr
		}
	}
	if err == nil {
		slave, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		master.Close()
		return nil, nil, err
	}
	return master, slave, nil
}
