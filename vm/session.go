package vm

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"lab/bench"
	"lab/bench/clock"
	"lab/bench/probe/guestinit/wire"
)

// A session is a conversation with the init in a guest.
type session struct {
	c  net.Conn
	r  *bufio.Reader
	at clock.Time // when the guest said hello

	// jump is how far the clock of a guest that was restored was set forward.
	jump time.Duration

	out sync.Mutex // one frame at a time

	mu    sync.Mutex
	progs map[uint32]*program
	last  uint32
	err   error         // why it ended
	gone  chan struct{} // closed when it ended
}

func newSession(c net.Conn) *session {
	return &session{c: c, r: bufio.NewReaderSize(c, 64<<10), progs: make(map[uint32]*program), gone: make(chan struct{})}
}

// first reads the guest's first word, and notes when it came.
func (s *session) first(ctx context.Context) (wire.Frame, error) {
	stop := context.AfterFunc(ctx, func() { s.c.SetReadDeadline(time.Unix(1, 0)) })
	f, err := wire.Read(s.r)
	s.at = clock.Now()
	if !stop() {
		return f, fmt.Errorf("the guest's init didn't say hello: %w", ctx.Err())
	}
	if err != nil {
		return f, bench.Blamed(bench.BlameLab, fmt.Errorf("the guest's init didn't say hello: %w", err))
	}
	return f, nil
}

// greet waits until the init of a guest that boots says hello.
func greet(ctx context.Context, c net.Conn) (*session, error) {
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
	go s.listen()
	return s, nil
}

// listen hands the guest's frames to the programs that they are about, until
// the guest is gone.
func (s *session) listen() {
	for {
		f, err := wire.Read(s.r)
		if err != nil {
			s.end(err)
			return
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

var errInitGone = errors.New("the guest's init is gone")

// end ends the session, and with it all that waits for the guest.
func (s *session) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = fmt.Errorf("%w: %w", errInitGone, err)
		s.c.Close()
		close(s.gone)
	}
}

// sendTimeout bounds a write to a guest, whose init reads at once what comes.
const sendTimeout = 10 * time.Second

func (s *session) send(k wire.Kind, id uint32, body any) error {
	f, err := wire.New(k, id, body)
	if err != nil {
		return err
	}
	return s.write(f)
}

func (s *session) write(f wire.Frame) error {
	b, err := wire.Append(nil, f)
	if err != nil {
		return err
	}
	s.out.Lock()
	defer s.out.Unlock()
	s.c.SetWriteDeadline(time.Now().Add(sendTimeout))
	if _, err := s.c.Write(b); err != nil {
		// Half a frame may be on its way: what follows would be misread.
		s.end(err)
		return fmt.Errorf("the guest's init doesn't listen: %w", err)
	}
	return nil
}

// add gives a program its number.
func (s *session) add(p *program) error {
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

func (s *session) remove(p *program) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.progs, p.id)
}

// why is the reason for which the session ended.
func (s *session) why() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		return errInitGone
	}
	return s.err
}
