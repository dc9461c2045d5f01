package results

import "slices"

// Spent is how long a run's trials took, by cell (see [Line.Label]), in
// seconds: each from its beginning to the next one's, preparation, collection
// and drawing included. Failed trials are left out, as they may end at once, and
// so is the last trial of each session, whose end isn't written down. Where a run
// was broken off and gone on with, one trial looks too short.
func (r *Run) Spent() map[string][]float64 {
	type begin struct {
		label          string
		trial, session int
		at             float64
	}
	var order []begin
	seen, bad := map[int]bool{}, map[int]bool{}
	for _, l := range r.Lines {
		if l.Err != "" {
			bad[l.Trial] = true
		}
		if !seen[l.Trial] {
			seen[l.Trial] = true
			order = append(order, begin{l.Label(), l.Trial, l.Session, l.At})
		}
	}
	slices.SortStableFunc(order, func(a, b begin) int { return a.trial - b.trial })
	out := map[string][]float64{}
	for i := 1; i < len(order); i++ {
		this, next := order[i-1], order[i]
		if d := next.at - this.at; d > 0 && next.trial == this.trial+1 && next.session == this.session && !bad[this.trial] {
			out[this.label] = append(out[this.label], d)
		}
	}
	return out
}
