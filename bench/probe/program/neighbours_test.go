package main

import (
	"testing"

	"lab/bench/probe/line"
)

// Each neighbour does its rounds until its input ends; the victim says how much it
// did, and has a sample for each unit that was due.
func TestNeighbours(t *testing.T) {
	for what := range neighbours {
		if what == "forks" || what == "network" {
			continue // copies of a test's own process, and one that needs a server: neighbours.txt has both
		}
		var end *line.Line
		for _, l := range talked(t, disturb, options{"what": what, "dir": t.TempDir(), "to": "4194304"}) {
			if l.Kind == line.End {
				end = &l
			}
		}
		if end == nil {
			t.Errorf("%s: no end", what)
			continue
		}
		if early, ok := end.Float("early"); !ok || early != 0 {
			t.Errorf("%s: %v", what, end.Pairs)
		}
	}
	ends := map[string]float64{}
	samples := false
	for _, l := range talked(t, victim, options{"ms": "50"}) {
		if l.Kind == line.End {
			ends[l.Name], _ = l.Float("value")
		}
		samples = samples || l.Kind == line.Samples
	}
	if ends["work"] < 10 || ends["pace"] != 25 || !samples {
		t.Errorf("victim: %v, samples %v", ends, samples)
	}
}
