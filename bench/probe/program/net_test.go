package main

import (
	"bufio"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"lab/bench/probe/line"
)

// probeProgram builds the program: as a child it is what it is in an instance,
// while in a test its raw system calls would hold the scheduler up.
func probeProgram(t *testing.T) string {
	t.Helper()
	path := t.TempDir() + "/probe"
	build := exec.Command("go", "build", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return path
}

// A child is a running probe whose lines are read.
type child struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines *bufio.Reader
	in    io.WriteCloser
}

func start(t *testing.T, path string, args ...string) *child {
	t.Helper()
	c := &child{t: t, cmd: exec.Command(path, append([]string{"lab-1"}, args...)...)}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	c.lines = bufio.NewReader(out)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(time.Minute, func() { c.cmd.Process.Kill() })
	t.Cleanup(func() {
		late.Stop()
		c.in.Close()
		c.cmd.Process.Kill()
		c.cmd.Wait()
	})
	return c
}

// next is the child's next line; an end of its output is fatal.
func (c *child) next() line.Line {
	c.t.Helper()
	s, err := c.lines.ReadString('\n')
	if err != nil {
		c.t.Fatalf("%v after %q", err, s)
	}
	l, err := line.Parse(strings.TrimSuffix(s, "\n"), "lab-1")
	if err != nil {
		c.t.Fatal(err)
	}
	return l
}

func (c *child) answer() { io.WriteString(c.in, "\n") }

// serving is a server that waits for clients, and its port.
func serving(t *testing.T, path string) (*child, string) {
	t.Helper()
	s := start(t, path, "serve")
	listen := s.next()
	if begin := s.next(); listen.Kind != line.Fact || begin.Kind != line.Begin || begin.Name != "serve" {
		t.Fatalf("%v, %v", listen, begin)
	}
	return s, listen.Text("port")
}

// Both ends count the same, and the figures follow from the counts.
func TestNetwork(t *testing.T) {
	path := probeProgram(t)
	s, port := serving(t, path)
	c := start(t, path, "net", "to=127.0.0.1:"+port, "ms=60")
	var streamed, connected int64
	for _, name := range []string{"stream", "streams", "latency", "connect", "receive", "udp"} {
		if l := c.next(); l.Kind != line.Begin || l.Name != name {
			t.Fatalf("%v where %s should begin", l, name)
		}
		c.answer()
		l := c.next()
		c.answer()
		v, _ := l.Float("value")
		bytes, _ := l.Float("bytes")
		ns, _ := l.Float("ns")
		if l.Kind != line.End || v <= 0 || bytes <= 0 || ns < 60e6 {
			t.Fatalf("%v", l)
		}
		switch name {
		case "stream", "streams":
			streamed += int64(bytes)
			// The section is longer than what is timed in it by the host's answer.
			if least := bytes / ns * 1e9; v < least || v > least*1.5 {
				t.Errorf("%s: %v B/s, and %v bytes in %v ns", name, v, bytes, ns)
			}
		case "receive":
			if least := bytes / ns * 1e9; v < least || v > least*1.5 {
				t.Errorf("%s: %v B/s, and %v bytes in %v ns", name, v, bytes, ns)
			}
		case "latency", "udp":
			if lost, _ := l.Float("lost"); lost > 0 {
				t.Errorf("%v datagrams were lost on loopback", lost)
			}
			samples := c.next()
			var rounds int64
			for _, p := range samples.Pairs {
				if p.Key == "b" {
					_, n, _ := strings.Cut(p.Value, ":")
					k, _ := strconv.ParseInt(n, 10, 64)
					rounds += k
				}
			}
			if samples.Kind != line.Samples || float64(2*rounds) != bytes {
				t.Errorf("%d rounds, and %v bytes", rounds, bytes)
			}
		case "connect":
			connected = int64(bytes / 2)
		}
	}
	if l := c.next(); l.Kind != line.Bye {
		t.Errorf("%v", l)
	}
	s.answer()
	end := s.next()
	s.answer()
	got, _ := end.Float("bytes")
	connections, _ := end.Float("connections")
	if int64(got) != streamed || int64(connections) != connected+1+4+1+2 {
		t.Errorf("the server counted %v bytes on %v connections, the client sent %d on %d", got, connections, streamed, connected+8)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// A client that comes and goes, or is killed half way, leaves a server that
// serves the next one.
func TestServeSurvives(t *testing.T) {
	path := probeProgram(t)
	s, port := serving(t, path)
	for _, say := range []string{"", "e", "exxx", "c", "1", "?", "r", "rx", "u"} {
		conn, err := net.Dial("tcp4", "127.0.0.1:"+port)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, say)
		conn.(*net.TCPConn).SetLinger(0)
		conn.Close()
	}
	killed := start(t, path, "net", "to=127.0.0.1:"+port, "ms=60000")
	killed.next()
	killed.answer()
	killed.cmd.Process.Kill()
	killed.cmd.Wait()
	c := start(t, path, "net", "to=127.0.0.1:"+port, "ms=1")
	c.in.Close() // an end of file is a yes to all
	for l := c.next(); l.Kind != line.Bye; l = c.next() {
		if l.Kind == line.Error {
			t.Fatal(l.Text("text"))
		}
	}
	s.in.Close()
	if l := s.next(); l.Kind != line.End {
		t.Errorf("%v", l)
	}
}

func TestNetworkFails(t *testing.T) {
	path := probeProgram(t)
	for _, x := range []struct{ to, want string }{
		{"", "isn't an IPv4 address"}, {"[::1]:80", "isn't an IPv4 address"}, {"127.0.0.1:1", "connect"},
	} {
		c := start(t, path, "net", "to="+x.to)
		if l := c.next(); l.Kind != line.Error || !strings.Contains(l.Text("text"), x.want) {
			t.Errorf("to=%s: %v", x.to, l)
		}
	}
}
