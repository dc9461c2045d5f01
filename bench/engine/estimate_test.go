package engine

import (
	"testing"
	"time"

	"lab/bench/results"
)

// What is left follows what was seen last, not the quiet beginning.
func TestEstimate(t *testing.T) {
	e := newEstimate([]results.Cell{{Env: "a"}, {Env: "b"}})
	e.left = []int{10, 0}
	if e.time() != 0 {
		t.Error("an estimate of nothing")
	}
	for range 50 {
		e.add(0, time.Second)
	}
	if got := e.time(); got != 10*time.Second {
		t.Error(got)
	}
	for range 20 {
		e.add(0, 10*time.Second)
	}
	if got := e.time(); got < 95*time.Second || got > 100*time.Second {
		t.Errorf("%v left, of 10 trials that took 10 s lately", got)
	}
	e.left[1] = 1
	if e.time() != 0 {
		t.Error("b has never run")
	}
}
