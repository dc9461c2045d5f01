package engine

import "time"

// Order is the plan of a run, for tests: cell, block, place and warm-up of each
// trial.
func Order(seed uint64, trials, warmup []int) (out []struct {
	Cell, Block, Pos int
	Warmup           bool
}) {
	for _, s := range (plan{seed: seed, trials: trials, warmup: warmup}).slots() {
		out = append(out, struct {
			Cell, Block, Pos int
			Warmup           bool
		}{s.cell, s.block, s.pos, s.warmup})
	}
	return out
}

// Grouped is the plan of a scenario that doesn't shuffle: the cells in order.
func Grouped(size int, trials, warmup []int) (cells, blocks []int) {
	for _, s := range grouped(size, trials, warmup) {
		cells, blocks = append(cells, s.cell), append(blocks, s.block)
	}
	return cells, blocks
}

// SetMaxBlocks changes how many blocks are made at the most.
func SetMaxBlocks(n int) (restore func()) {
	old := maxBlocks
	maxBlocks = n
	return func() { maxBlocks = old }
}

// SetGrace changes how long a stuck trial is waited for.
func SetGrace(d time.Duration) (restore func()) {
	old := grace
	grace = d
	return func() { grace = old }
}

// Sides picks the processors of a run of pairs.
var Sides = sides

// OrderPairs is the plan of a run of pairs.
func OrderPairs(seed uint64, trials, partner []int) (out []struct{ Block, Pos, Cell, Partner, Side int }) {
	for _, s := range (plan{seed: seed, trials: trials, warmup: make([]int, len(trials)), partner: partner}).slots() {
		if !s.pair {
			s.partner = -1
		}
		out = append(out, struct{ Block, Pos, Cell, Partner, Side int }{s.block, s.pos, s.cell, s.partner, s.side})
	}
	return out
}
