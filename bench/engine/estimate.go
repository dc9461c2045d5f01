package engine

import (
	"time"

	"lab/bench/results"
)

// An estimate is the time that a run will still take, from what each cell's
// trials have taken so far.
type estimate struct {
	sum  []time.Duration // by cell
	n    []int           // trials in sum
	left []int           // trials still to come
}

func newEstimate(cells []results.Cell) *estimate {
	return &estimate{make([]time.Duration, len(cells)), make([]int, len(cells)), make([]int, len(cells))}
}

func (e *estimate) add(cell int, d time.Duration) {
	e.sum[cell] += d
	e.n[cell]++
}

// time is 0 until each cell that is still to come has run once.
func (e *estimate) time() (d time.Duration) {
	for i, n := range e.left {
		if n > 0 && e.n[i] == 0 {
			return 0
		}
		if n > 0 {
			d += time.Duration(n) * (e.sum[i] / time.Duration(e.n[i]))
		}
	}
	return d
}
