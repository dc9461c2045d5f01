package engine

import (
	"math/rand/v2"
	"slices"
)

// A slot is one trial of the plan: which cell, in which block, at which place
// in it. Or it is a pair of trials (see [bench.Duet]): the cell's, and at the next
// place its partner's.
type slot struct {
	cell, block, pos int
	warmup           bool

	pair    bool
	partner int // its cell
	side    int // which of the two sets of processors the cell's own trial has: 0 or 1
}

// trials counts them.
func (s slot) trials() int {
	if s.pair {
		return 2
	}
	return 1
}

// A plan is which trials a run makes, and in which order: warm-up blocks first,
// then the others. Each block holds every cell at most once, in an order
// shuffled from the seed, so that what drifts on the machine (heat, a neighbour,
// the page cache) falls on all cells alike.
//
// A cell with fewer trials than the longest one has its trials spread evenly
// over the blocks: with 20 of 60, it is in every third.
//
// In a run of pairs, a cell that has a partner is made together with it, and the side
// that each has is drawn from the same seed. The partner has no trials but those: as
// many as all the cells that it is made with.
//
// The order is a function of the fields alone: a run that was broken off goes on
// from them.
type plan struct {
	seed           uint64
	trials, warmup []int // by cell
	group          int   // Scenario.Grouped
	partner        []int // by cell: see bench.Partners; nil: all trials are made alone
	first          int   // Runner.FirstBlock: no session has another's order
}

// blocks counts those planned, warm-up blocks among them.
func (p plan) blocks() (warm, all int) {
	if p.group > 0 {
		for _, s := range grouped(p.group, p.trials, p.warmup) {
			all = s.block + 1
			if s.warmup {
				warm = all
			}
		}
		return warm, all
	}
	return most(p.warmup), most(p.warmup) + most(p.trials)
}

func most(n []int) int {
	if len(n) == 0 {
		return 0
	}
	return slices.Max(n)
}

// block is the trials of block b. Beyond those planned it goes on in the same
// way, for a run that needs more.
func (p plan) block(b int) []slot {
	if p.group > 0 {
		all := grouped(p.group, p.trials, p.warmup)
		return slices.DeleteFunc(all, func(s slot) bool { return s.block != b })
	}
	n, at, warm := p.warmup, b, true
	if first := most(p.warmup); b >= first {
		n, at, warm = p.trials, b-first, false
	}
	var cells []int
	for c, k := range n {
		if m := most(n); (at+1)*k/m > at*k/m {
			cells = append(cells, c)
		}
	}
	// A generator for each block: a block's order doesn't depend on how many
	// cells the blocks before it had.
	r := rand.New(rand.NewPCG(p.seed, uint64(p.first+b)))
	r.Shuffle(len(cells), func(i, j int) { cells[i], cells[j] = cells[j], cells[i] })
	var out []slot
	pos := 0
	for _, c := range cells {
		s := slot{cell: c, block: b, pos: pos, warmup: warm}
		if p.partner != nil && p.partner[c] >= 0 {
			s.pair, s.partner, s.side = true, p.partner[c], r.IntN(2)
		}
		out = append(out, s)
		pos += s.trials()
	}
	return out
}

// slots is all that is planned.
func (p plan) slots() []slot {
	if p.group > 0 {
		return grouped(p.group, p.trials, p.warmup)
	}
	var out []slot
	_, all := p.blocks()
	for b := range all {
		out = append(out, p.block(b)...)
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
					out = append(out, slot{cell: c, block: block, pos: pos, warmup: phase.warmup})
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
