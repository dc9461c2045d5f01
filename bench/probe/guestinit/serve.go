package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/probe/guestinit/wire"
)

// consoles are the lines on which some bytes are the kernel's: see wire.Escape.
const consoles = "/dev/hvc"

// A server executes what the host asks for.
type server struct {
	out sync.Mutex // one frame at a time
	w   io.Writer
	buf []byte

	mu    sync.Mutex // also held across fork, so that no child ends unknown
	procs map[uint32]*process
	pids  map[int]*process
	born  chan struct{} // a child was made
}

// serve says hello and does what the host says, until the host is gone.
// Over a terminal line the host is told how far it was read.
func serve(port *os.File, boot error, b wire.Boot) error {
	line := b.Port != ""
	s := &server{w: port, procs: make(map[uint32]*process), pids: make(map[int]*process), born: make(chan struct{}, 1)}
	var u unix.Utsname
	unix.Uname(&u)
	hello := wire.HelloBody{Version: wire.Version, Kernel: unix.ByteSliceToString(u.Release[:]), Paced: line}
	if boot != nil {
		hello.Err = boot.Error()
	}
	at := now()
	if line {
		hello.Began = at - began
	}
	if len(b.Since) > 0 {
		hello.Ago = ago(at, b.Since...)
	}
	if err := s.send(wire.Hello, 0, hello); err != nil {
		return err
	}
	go s.reap()
	var from io.Reader = port
	if strings.HasPrefix(b.Port, consoles) {
		from = wire.Unescape(from)
	}
	if line {
		from = &paced{from, s, 0}
	}
	r := bufio.NewReaderSize(from, 64<<10)
	for {
		f, err := wire.Read(r)
		if errors.Is(err, io.EOF) {
			return nil // the host closed its end
		}
		if err != nil {
			return fmt.Errorf("read the host's words: %w", err)
		}
		if err := s.handle(f); err != nil {
			return err
		}
	}
}

// ago is how long before a moment the kernel's clock began, and then each of others.
func ago(at time.Duration, since ...time.Duration) []time.Duration {
	out := []time.Duration{at}
	for _, d := range since {
		out = append(out, at-d)
	}
	return out
}

// paced is a terminal line that tells the host how far it was read.
type paced struct {
	line io.Reader
	s    *server
	read int // not yet told
}

func (p *paced) Read(b []byte) (int, error) {
	n, err := p.line.Read(b)
	for p.read += n; p.read >= wire.Pace; p.read -= wire.Pace {
		if err := p.s.write(wire.Frame{Kind: wire.Taken}); err != nil {
			return n, err
		}
	}
	return n, err
}

func (s *server) handle(f wire.Frame) error {
	if f.Kind == wire.Run {
		var b wire.RunBody
		if err := f.Body(&b); err != nil {
			return err
		}
		return s.run(f.ID, b)
	}
	if f.Kind == wire.Resume {
		return s.write(wire.NewResumed(resume(f)))
	}
	s.mu.Lock()
	p := s.procs[f.ID]
	s.mu.Unlock()
	if p == nil {
		return nil // it ended while the host was speaking
	}
	switch f.Kind {
	case wire.Input:
		p.input <- f.Payload // never full: the host has that much credit
	case wire.InputEnd:
		close(p.input)
	case wire.Signal:
		var b wire.SignalBody
		if err := f.Body(&b); err != nil {
			return err
		}
		s.signal(p, syscall.Signal(b.Signal))
	case wire.WindowSize:
		var b wire.SizeBody
		if err := f.Body(&b); err != nil {
			return err
		}
		p.resize(b)
	default:
		return fmt.Errorf("%w: kind %d", wire.ErrFrame, f.Kind)
	}
	return nil
}

// signal sends a signal while the PID is certainly the process's: its zombie is
// waited for under the same lock.
func (s *server) signal(p *process, sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pids[p.pid] == p {
		unix.Kill(p.pid, sig)
	}
}

// send sends a frame with a JSON body.
func (s *server) send(k wire.Kind, id uint32, body any) error {
	f, err := wire.New(k, id, body)
	if err != nil {
		return err
	}
	return s.write(f)
}

func (s *server) write(f wire.Frame) (err error) {
	s.out.Lock()
	defer s.out.Unlock()
	// In one write: each is a message to the device, and an interrupt.
	if s.buf, err = wire.Append(s.buf[:0], f); err != nil {
		return err
	}
	_, err = s.w.Write(s.buf)
	return err
}

// reap waits for every child: PID 1 inherits the orphans. Nothing else in this
// program waits for any.
func (s *server) reap() {
	for {
		// First without taking it away, so that under the lock the PID still
		// is its own.
		if err := unix.Waitid(unix.P_ALL, 0, nil, unix.WEXITED|unix.WNOWAIT, nil); err == unix.ECHILD {
			<-s.born
			continue
		}
		var (
			ws unix.WaitStatus
			ru unix.Rusage
		)
		s.mu.Lock()
		pid, err := unix.Wait4(-1, &ws, unix.WNOHANG, &ru)
		p := s.pids[pid]
		delete(s.pids, pid)
		s.mu.Unlock()
		if err == nil && p != nil {
			p.ended <- status{ws, ru}
		}
	}
}
