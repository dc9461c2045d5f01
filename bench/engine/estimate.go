package engine

import (
	"time"

	"lab/bench/results"
)

// An estimate is the time that a run will still take, from what each cell's latest
// trials have taken: a machine that is busier now is followed.
type estimate struct {
	mean []time.Duration // by cell, of its latest trials
	n    []int           // trials in mean
	left []int           // trials still to come
}

// latest is about how many trials of a cell tell what its next one takes.
const latest = 5

func newEstimate(cells []results.Cell) *estimate {
	return &estimate{make([]time.Duration, len(cells)), make([]int, len(cells)), make([]int, len(cells))}
}

func (e *estimate) add(cell int, d time.Duration) {
	e.n[cell] = min(e.n[cell]+1, latest)
	e.mean[cell] += (d - e.mean[cell]) / time.Duration(e.n[cell])
}

// time is 0 until each cell that is still to come has run once.
func (e *estimate) time() (d time.Duration) {
	for i, n := range e.left {
		if n > 0 && e.n[i] == 0 {
			return 0
		}
		d += time.Duration(n) * e.mean[i]
	}
	return d
}
