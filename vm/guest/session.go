package guest

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"lab/bench"
	"lab/bench/clock"
	"lab/bench/probe/guestinit/wire"
)

// A Session is a conversation with the init in a guest.
type Session struct {
	c  net.Conn
	r  *bufio.Reader
	At clock.Time // when the guest said hello

	// Ago is how long before that a distribution's parts began, its kernel the first.
	Ago []time.Duration

	// jump is how far the clock of a guest that was restored was set forward.
	Jump time.Duration

	out sync.Mutex // one frame at a time

	paced bool          // what is sent waits for what was taken
	sent  int64         // bytes, under out
	taken atomic.Int64  // of them
	more  chan struct{} // more was taken

	mu    sync.Mutex
	progs map[uint32]*Program
	last  uint32
	err   error         // why it ended
	gone  chan struct{} // closed when it ended
}

func newSession(c net.Conn) *Session {
	return &Session{c: c, r: bufio.NewReaderSize(c, 64<<10), progs: make(map[uint32]*Program), gone: make(chan struct{}), more: make(chan struct{}, 1)}
}

// first reads the guest's first word, and notes when it came.
func (s *Session) first(ctx context.Context) (wire.Frame, error) {
	stop := context.AfterFunc(ctx, func() { s.c.SetReadDeadline(time.Unix(1, 0)) })
	f, err := wire.Read(s.r)
	s.At = clock.Now()
	if !stop() {
		return f, fmt.Errorf("the guest's init didn't say hello: %w", ctx.Err())
	}
	if err != nil {
		return f, bench.Blamed(bench.BlameLab, fmt.Errorf("the guest's init didn't say hello: %w", err))
	}
	return f, nil
}

// longestStart is longer than any guest's: nobody waits for one that long.
const longestStart = 24 * time.Hour

// Greet waits until the init of a guest that boots says hello.
func Greet(ctx context.Context, c net.Conn) (*Session, error) {
	s := newSession(c)
	f, err := s.first(ctx)
	if err != nil {
		return nil, err
	}
	var hello wire.HelloBody
	if f.Kind != wire.Hello {
		return nil, fmt.Errorf("the guest's init began with %w %d", wire.ErrFrame, f.Kind)
	}
	if err := f.Body(&hello); err != nil {
		return nil, err
	}
	if hello.Version != wire.Version {
		return nil, fmt.Errorf("the guest's init speaks version %d, and the lab %d; fix: make build", hello.Version, wire.Version)
	}
	if hello.Err != "" {
		return nil, fmt.Errorf("the guest's init: %s", hello.Err)
	}
	for _, ago := range hello.Ago { // their order is made in marking them
		if ago < 0 || ago > longestStart {
			return nil, fmt.Errorf("%w: a part of the guest's start began %v ago", wire.ErrFrame, ago)
		}
	}
	s.paced, s.Ago = hello.Paced, hello.Ago
	go s.listen()
	return s, nil
}

// Resume tells a restored guest what time it is and gives it random numbers of
// its own: two guests of one saved state would else draw the same.
func Resume(ctx context.Context, c net.Conn) (*Session, error) {
	s := newSession(c)
	var seed [wire.SeedSize]byte
	rand.Read(seed[:])
	if err := s.write(wire.NewResume(time.Now(), seed)); err != nil {
		return nil, err
	}
	f, err := s.first(ctx)
	if err != nil {
		return nil, err
	}
	if s.Jump, err = wire.ResumedOf(f); err != nil {
		return nil, err
	}
	go s.listen()
	return s, nil
}

// listen hands the guest's frames to the programs that they are about, until
// the guest is gone.
func (s *Session) listen() {
	for {
		f, err := wire.Read(s.r)
		if err != nil {
			s.end(err)
			return
		}
		if f.Kind == wire.Taken {
			s.taken.Add(wire.Pace)
			select {
			case s.more <- struct{}{}:
			default:
			}
			continue
		}
		s.mu.Lock()
		p := s.progs[f.ID]
		s.mu.Unlock()
		if p == nil {
			continue
		}
		if err := p.handle(f); err != nil {
			s.end(err)
			return
		}
	}
}

// ErrGone is wrapped by errors of programs whose guest has ended.
var ErrGone = errors.New("the guest's init is gone")

// end ends the session, and with it all that waits for the guest.
func (s *Session) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = fmt.Errorf("%w: %w", ErrGone, err)
		s.c.Close()
		close(s.gone)
	}
}

// lastWordsGrace is how long what a guest sent before its end may take to be read.
const lastWordsGrace = time.Second

// EndAfter ends a session some time after QEMU's end, which closes ended: its
// reader may be occupied with output that nobody takes.
func (s *Session) EndAfter(ended <-chan struct{}) {
	select {
	case <-s.gone:
		return
	case <-ended:
	}
	select {
	case <-s.gone:
	case <-time.After(lastWordsGrace):
		s.end(errors.New("the guest ended"))
	}
}

// Close ends a session from the host's side.
func (s *Session) Close() { s.end(net.ErrClosed) }

// sendTimeout bounds a write to a guest, whose init reads at once what comes.
const sendTimeout = 10 * time.Second

func (s *Session) send(k wire.Kind, id uint32, body any) error {
	f, err := wire.New(k, id, body)
	if err != nil {
		return err
	}
	return s.write(f)
}

func (s *Session) write(f wire.Frame) error {
	b, err := wire.Append(nil, f)
	if err != nil {
		return err
	}
	s.out.Lock()
	defer s.out.Unlock()
	n := len(b)
	if s.paced {
		n = wire.Pace
	}
	for piece := range slices.Chunk(b, n) {
		if err := s.push(piece); err != nil {
			// Half a frame may be on its way: what follows would be misread.
			s.end(err)
			return fmt.Errorf("the guest's init doesn't listen: %w", err)
		}
	}
	return nil
}

// push writes bytes, when the guest has taken enough of those before.
func (s *Session) push(b []byte) error {
	late := time.NewTimer(sendTimeout)
	defer late.Stop()
	for s.paced && s.sent+int64(len(b))-s.taken.Load() > 3*wire.Pace {
		select {
		case <-s.more:
		case <-s.gone:
			return net.ErrClosed
		case <-late.C:
			return os.ErrDeadlineExceeded
		}
	}
	s.sent += int64(len(b))
	s.c.SetWriteDeadline(time.Now().Add(sendTimeout))
	_, err := s.c.Write(b)
	return err
}

// add gives a program its number.
func (s *Session) add(p *Program) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	s.last++
	p.id = s.last
	s.progs[p.id] = p
	return nil
}

func (s *Session) remove(p *Program) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.progs, p.id)
}

// why is the reason for which the session ended.
func (s *Session) why() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		return ErrGone
	}
	return s.err
}

// A Port is the lab's end of the virtio serial port that the guest's init
// speaks through: a socket on which the lab listens, and to which QEMU connects
// as it makes the device.
type Port struct {
	l   *net.UnixListener
	got chan accepted
}

type accepted struct {
	c   net.Conn
	err error
}

// portTimeout bounds what should take QEMU milliseconds.
const portTimeout = 10 * time.Second

// Listen makes the socket and waits, on its own goroutine, for QEMU.
func Listen(path string) (*Port, error) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("guest's port: %w", err)
	}
	p := &Port{l: l, got: make(chan accepted, 1)}
	go func() {
		c, err := l.Accept()
		p.got <- accepted{c, err}
	}()
	return p, nil
}

// Wait returns QEMU's connection.
func (p *Port) Wait(ctx context.Context) (net.Conn, error) {
	select {
	case a := <-p.got:
		return a.c, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(portTimeout):
		return nil, fmt.Errorf("guest's port: QEMU didn't connect within %v", portTimeout)
	}
}

// Close removes the socket. A connection that was taken stays; one that nobody
// took is closed.
func (p *Port) Close() {
	p.l.Close() // also removes the file, and ends Accept
	go func() {
		select {
		case a := <-p.got:
			if a.c != nil {
				a.c.Close()
			}
		case <-time.After(portTimeout):
		}
	}()
}
