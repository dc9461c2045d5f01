package runs

import (
	"strings"
	"testing"

	"lab/bench/results"
)

// A row that couldn't run in one session and could in another keeps its trials
// in the report, which says what is missing.
func TestTogether(t *testing.T) {
	no := &results.NotRun{Kind: "unavailable", Reason: "no memory was left", Cure: "end something"}
	cells := func(nots ...*results.NotRun) (out []results.Cell) {
		for i, n := range nots {
			out = append(out, results.Cell{Env: []string{"host", "chroot", "container", "vm"}[i], N: 1, NotRun: n})
		}
		return out
	}
	m := &results.Manifest{Cells: cells(nil, no, nil, no)}
	together(cells(nil, nil, no, no), m, 2)
	for i, want := range []*results.NotRun{nil, nil, nil, no} {
		if m.Cells[i].NotRun != want {
			t.Errorf("%s: %+v", m.Cells[i].Env, m.Cells[i].NotRun)
		}
	}
	if got := strings.Join(m.Notes, "\n"); got != "chroot has no trials of session 2: no memory was left; end something\n"+
		"container has no trials of the sessions before session 2: no memory was left; end something" {
		t.Errorf("notes:\n%s", got)
	}
	m = &results.Manifest{Cells: cells(no)}
	if together(nil, m, 1); m.Cells[0].NotRun != no || len(m.Notes) > 0 {
		t.Errorf("the first session: %+v", m)
	}
}
