package scenarios

import (
	"strings"
	"testing"

	"lab/bench"
	"lab/bench/benchtest"
	"lab/bench/clean"
	"lab/bench/clock"
	"lab/bench/request"
)

// The command is asked for in the request, and a guest runs it under an init: its
// kernel wouldn't outlive it to tell the exit status.
func TestCommandCells(t *testing.T) {
	o := bench.Options{Known: benchtest.Known, Request: request.Request{Command: request.Argv{"sort", "a b"}}}
	for _, c := range Command().Cells(o) {
		if c.Asked == nil || len(c.Asked.Command) != 2 || c.Init != c.Guest || c.Grouped == c.Guest {
			t.Errorf("%s: %+v", c.Env, c)
		}
	}
}

type marks []clock.Mark

func (marks) Started() clock.Time   { return 5 }
func (marks) LastPhase() string     { return "" }
func (m marks) Marks() []clock.Mark { return m }

// The process begins where the last thing was made before it was executed.
func TestExecuted(t *testing.T) {
	for _, x := range []struct {
		m    marks
		want clock.Time
	}{
		{marks{{Name: "exec", At: 9}}, 5},
		{marks{{Name: "cgroup", At: 7}, {Name: "exec", At: 9}}, 7},
		{marks{{Name: "machine", At: 7}}, 0},
		{nil, 0},
	} {
		if got := executed(x.m); got != x.want {
			t.Errorf("%v: %v, want %v", x.m, got, x.want)
		}
	}
}

// What a failed trial says has the end of the output, however long that was.
func TestEnd(t *testing.T) {
	e := clean.Tail{Most: mostOutput}
	if quoted(&e) != "" {
		t.Error("nothing is quoted")
	}
	e.Write([]byte(strings.Repeat("x", 1000)))
	e.Write([]byte("no such file\n"))
	if got := quoted(&e); !strings.HasSuffix(got, `no such file\n"`) || len(got) > 450 || len(e.String()) != mostOutput {
		t.Errorf("%d: %s", len(got), got)
	}
}
