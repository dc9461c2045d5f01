package benchtest

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench"
)

// ports publishes one, and connects to it from outside; or Check says that
// there is none to be had.
func (s *suite) ports(t *testing.T) {
	before := takeSnapshot(t, s.tb, nil)
	spec := s.spec(t, sh("exec httpd -f -p 80 -h /etc"))
	port := bench.Port{Proto: "tcp", IP: netip.MustParseAddr("127.77.3.3"), Host: 18080, Port: 80}
	spec.Ports = []bench.Port{port}
	if why, ok := s.opts.Lacks[Ports]; ok {
		if err := s.env.Check(s.context(t), spec); !errors.Is(err, bench.ErrNotApplicable) {
			t.Errorf("Check of a published port: %v, want not applicable, as %s", err, why)
		}
		s.needs(t, Ports)
	}
	twice := spec
	twice.Ports = []bench.Port{port, port}
	if err := s.env.Check(s.context(t), twice); !errors.Is(err, bench.ErrNotApplicable) {
		t.Errorf("the same port twice: %v", err)
	}
	i := s.start(t, spec)
	// A second instance can't have the same.
	other := s.prepareOne(t, spec)
	if err := other.Start(s.context(t)); err == nil || bench.Whose(err) != bench.BlameMachine {
		t.Errorf("a port that is taken: %v (blames %s)", err, bench.Whose(err))
	}
	if err := other.Close(); err != nil {
		t.Error(err)
	}
	var got string
	for end := time.Now().Add(s.timeout); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		c, err := net.Dial("tcp", port.Outside().String())
		if errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.ECONNREFUSED) {
			continue // the program inside isn't there yet
		}
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(s.timeout))
		io.WriteString(c, "GET /passwd HTTP/1.0\r\n\r\n")
		b, _ := io.ReadAll(c)
		c.Close()
		if got = string(b); got != "" {
			break
		}
	}
	if !strings.Contains(got, "root:x:0:0:") {
		t.Errorf("through the port came %q", got)
	}
	if err := i.Close(); err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("tcp", port.Outside().String()); err == nil {
		c.Close()
		t.Error("after Close somebody listens still")
	}
	// Package net keeps the pipes that it spliced through for the next copy,
	// until a collection: they are nobody's leak, in later tests neither.
	for end := time.Now().Add(s.timeout); ; time.Sleep(time.Millisecond) {
		left := slices.DeleteFunc(takeSnapshot(t, s.tb, nil).since(before, "descriptor"), func(d string) bool {
			return !strings.Contains(d, "pipe:")
		})
		if len(left) == 0 {
			break
		}
		if time.Now().After(end) {
			t.Errorf("pipes left: %q", left)
			break
		}
		runtime.GC()
	}
}
