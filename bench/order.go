package bench

import (
	"math/rand/v2"
	"slices"
)

// A slot is one trial of the plan: which cell, in which block, at which place
// in it.
type slot struct {
	cell, block, pos int
	warmup           bool
}

// order is the whole run's plan: warm-up blocks first, then the others. Each
// block holds every cell at most once, in an order shuffled from the seed, so
// that what drifts on the machine (heat, a neighbour, the page cache) falls on
// all cells alike.
//
// A cell with fewer trials than the longest one has its trials spread evenly
// over the blocks: with 20 of 60, it is in every third.
//
// The order is a function of the arguments alone.
func order(seed uint64, trials, warmup []int) []slot {
	var out []slot
	block := 0
	for _, phase := range []struct {
		n      []int
		warmup bool
	}{{warmup, true}, {trials, false}} {
		most := 0
		if len(phase.n) > 0 {
			most = slices.Max(phase.n)
		}
		for b := range most {
			var cells []int
			for c, n := range phase.n {
				if (b+1)*n/most > b*n/most {
					cells = append(cells, c)
				}
			}
			// A generator for each block: a block's order doesn't depend
			// on how many cells the blocks before it had.
			r := rand.New(rand.NewPCG(seed, uint64(block)))
			r.Shuffle(len(cells), func(i, j int) { cells[i], cells[j] = cells[j], cells[i] })
			for pos, c := range cells {
				out = append(out, slot{c, block, pos, phase.warmup})
			}
			block++
		}
	}
	return out
}

// grouped is the plan of a scenario that doesn't shuffle: size trials of each
// cell in turn, until all are made. Warm-ups come first, in turn.
func grouped(size int, trials, warmup []int) []slot {
	var out []slot
	block := 0
	for _, phase := range []struct {
		n      []int
		warmup bool
	}{{warmup, true}, {trials, false}} {
		for done, more := 0, true; more; done += size {
			more = false
			pos := 0
			for c, n := range phase.n {
				for range min(size, max(0, n-done)) {
					out = append(out, slot{c, block, pos, phase.warmup})
					pos++
				}
				more = more || n > done+size
			}
			if pos > 0 {
				block++
			}
		}
	}
	return out
}
