package guest

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"os"
	"testing"
	"time"

	"lab/bench"
	"lab/bench/probe/guestinit/wire"
)

// hostile gives a session whatever a guest may send, while a program is being
// started, runs or has ended, and then takes the guest away. All who wait for
// the guest must return.
func hostile(t *testing.T, stream []byte) {
	ours, theirs := net.Pipe()
	s := newSession(ours)
	go s.listen()
	go io.Copy(io.Discard, theirs) // an init that takes what it is sent
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	command := bench.Command{Argv: []string{"/bin/x"}, Stdout: null}
	progs := []*Program{NewProgram(s, command, bench.Limits{}), NewProgram(s, command, bench.Limits{})}
	done := make(chan struct{}, len(progs))
	for _, p := range progs {
		go func() {
			if p.Start(context.Background()) == nil {
				p.Wait(context.Background())
			}
			done <- struct{}{}
		}()
		for !p.registered() { // each has its number before the next
			time.Sleep(10 * time.Microsecond)
		}
	}
	theirs.SetWriteDeadline(time.Now().Add(3 * time.Second))
	// Another error is the session's having ended.
	if _, err := theirs.Write(stream); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the session's reader is blocked by %q", stream)
	}
	theirs.Close()
	late := time.After(3 * time.Second)
	for range progs {
		select {
		case <-done:
		case <-late:
			t.Fatalf("something waits for a guest that is gone, after %q", stream)
		}
	}
	select {
	case <-s.gone:
	case <-late:
		t.Fatalf("the session's reader is blocked after %q", stream)
	}
	for _, p := range progs {
		p.Close()
	}
}

func (p *Program) registered() bool {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	return p.s.progs[p.id] == p
}

// frames turns a fuzzer's bytes into frames that get far: of each pair the first
// is the kind, the second the program and what it carries.
func frames(plan []byte) (out []byte) {
	bodies := [][]byte{nil, []byte("text"), []byte("{}"), []byte(`{"code":0}`), []byte(`{"code":-1,"signal":9}`),
		[]byte(`{"code":99999,"signal":-4}`), []byte(`{"what":"execute","errno":2}`), {0xff, 0}}
	for len(plan) >= 2 {
		f := wire.Frame{Kind: wire.Kind(plan[0] % 12), ID: uint32(plan[1] % 4), Payload: bodies[plan[1]/4%8]}
		if plan[0] >= 200 {
			f.Kind = wire.Kind(plan[0])
		}
		out, _ = wire.Append(out, f)
		plan = plan[2:]
	}
	return out
}

// FuzzGuest is the host's side of the protocol against any guest.
func FuzzGuest(f *testing.F) {
	const one, two = 1, 2
	started, failed, output, credit, exited := byte(wire.Started), byte(wire.Failed), byte(wire.Output), byte(wire.Credit), byte(wire.Exited)
	for _, plan := range [][]byte{
		{},
		{started, one, exited, one + 3*4},
		{started, one, started, one, started, one},                           // surplus
		{started, one, failed, one + 6*4, started, two},                      // both
		{failed, one + 6*4, failed, one + 6*4},                               // twice
		{exited, one + 3*4, started, one},                                    // the end first
		{started, one, exited, one + 3*4, exited, one + 3*4},                 // two ends
		{output, one + 4, credit, one},                                       // before it was started
		{started, one, output, one + 4, credit, one, credit, one, output, 3}, // to nobody
		{started, one, exited, one + 5*4},                                    // no such status
		{byte(wire.Hello), 0, byte(wire.Resumed), one, 0, one},
		{started, one, 255, one},
	} {
		f.Add(frames(plan), false)
		f.Add(plan, true)
	}
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 1}, false) // a length
	f.Add([]byte{0, 0, 0, 9, 2, 0, 0}, false)                   // cut off
	f.Fuzz(func(t *testing.T, b []byte, plan bool) {
		if plan {
			b = frames(b)
		}
		hostile(t, b)
	})
}

// No part of a start begins after its end, or days before: a guest's kernel
// may be somebody else's. Nor has a program had less than no time.
func TestImpossibleTimes(t *testing.T) {
	for _, x := range []struct {
		ago []time.Duration
		ok  bool
	}{
		{nil, true}, {[]time.Duration{3, 2, 2, 0}, true}, {[]time.Duration{2, 3}, true}, {[]time.Duration{-time.Hour}, false},
		{[]time.Duration{3, -1}, false}, {[]time.Duration{math.MinInt64}, false}, {[]time.Duration{math.MaxInt64}, false},
	} {
		ours, theirs := net.Pipe()
		f, err := wire.New(wire.Hello, 0, wire.HelloBody{Version: wire.Version, Ago: x.ago})
		if err != nil {
			t.Fatal(err)
		}
		b, err := wire.Append(nil, f)
		if err != nil {
			t.Fatal(err)
		}
		go func() { theirs.Write(b) }()
		s, err := Greet(context.Background(), ours)
		if (err == nil) != x.ok || err != nil && !errors.Is(err, wire.ErrFrame) {
			t.Errorf("%v: %v", x.ago, err)
		}
		if s != nil {
			s.Close()
		}
		theirs.Close()
	}
	for _, b := range []wire.ExitedBody{{User: -1}, {System: -1}, {MaxRSS: -1}, {User: math.MaxInt64, System: math.MaxInt64}} {
		p := NewProgram(newSession(nil), bench.Command{}, bench.Limits{})
		p.io, p.state = &stdio{halt: make(chan struct{})}, begun
		f, err := wire.New(wire.Exited, 1, b)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.handle(f); !errors.Is(err, wire.ErrFrame) {
			t.Errorf("%+v: %v", b, err)
		}
	}
}
