package engine

import (
	"iter"
	"slices"

	"lab/bench/results"
)

// made is how many trials there are at a place that count, how many that were
// repeated, and where in the block the last of these is.
type made struct{ trials, repeated, last int }

// takeOver counts the trials of an earlier session as made.
func (s *session) takeOver(done []results.Line) {
	cell := map[string]int{} // by label: the place among those that run
	for c, i := range s.run {
		cell[s.r.Manifest.Cells[i].Label()] = c
	}
	// The place of a pair is that of the cell whose partner the other one is. Of a pair that
	// wasn't written to its end there is one trial, which is made again with the other.
	both := map[int]int{}
	for lines := range trialsOf(done) {
		if l := lines[0]; l.Pair > 0 {
			both[l.Pair]++
		}
	}
	for lines := range trialsOf(done) {
		l := lines[0]
		c, ok := cell[l.Label()]
		if !ok {
			continue
		}
		if l.Pair > 0 && (both[l.Pair] < 2 || s.plan.partner == nil || s.plan.partner[c] < 0) {
			s.ends[l.Block] = max(s.ends[l.Block], l.Pos+1)
			if s.next = max(s.next, l.Trial+1); both[l.Pair] == 2 {
				s.count(s.run[c], lines)
			}
			continue
		}
		at := place{l.Block, c}
		if s.have[at] == nil {
			s.have[at] = &made{}
		}
		if l.Repeated {
			s.have[at].repeated++
			s.have[at].last = l.Pos
			s.expect(slot{cell: c, pair: l.Pair > 0, partner: s.partner(c)})
		} else {
			s.have[at].trials++
		}
		s.ends[l.Block] = max(s.ends[l.Block], l.Pos+1)
		s.count(s.run[c], lines)
	}
}

// trialsOf yields the lines of one trial after the other.
func trialsOf(lines []results.Line) iter.Seq[[]results.Line] {
	return func(yield func([]results.Line) bool) {
		for len(lines) > 0 {
			n := 1 + slices.IndexFunc(lines, func(l results.Line) bool { return l.Last })
			if n == 0 || !yield(lines[:n]) {
				return
			}
			lines = lines[n:]
		}
	}
}

// rest is what an earlier session left of a block, in the order in which it
// would have gone on, and how often each cell was repeated.
func (s *session) rest(b int) (queue []slot, again map[int]int) {
	again = map[int]int{}
	var late []slot
	for _, at := range s.plan.block(b) {
		h := s.have[place{b, at.cell}]
		switch {
		case h == nil:
			queue = append(queue, at)
		case h.trials > 0:
			h.trials--
		case h.repeated > 0:
			again[at.cell] = h.repeated
			at.pos = h.last
			late = append(late, at)
		default:
			queue = append(queue, at)
		}
	}
	slices.SortFunc(late, func(x, y slot) int { return x.pos - y.pos })
	return append(queue, late...), again
}
