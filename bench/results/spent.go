package results

import "slices"

// Spent is how long a run's trials took, by cell (see [Line.Label]), in
// seconds: each from its beginning to the next one's, preparation, collection
// and drawing included. Failed trials are left out, as they may end at once; the last trial, whose end isn't written down, is left
// out, and so is one after which the run was broken off.
func (r *Run) Spent() map[string][]float64 {
	type begin struct {
		label string
		trial int
		at    float64
	}
	var order []begin
	seen, bad := map[int]bool{}, map[int]bool{}
	for _, l := range r.Lines {
		if l.Err != "" {
			bad[l.Trial] = true
		}
		if !seen[l.Trial] {
			seen[l.Trial] = true
			order = append(order, begin{l.Label(), l.Trial, l.At})
		}
	}
	slices.SortStableFunc(order, func(a, b begin) int { return a.trial - b.trial })
	out := map[string][]float64{}
	for i := 1; i < len(order); i++ {
		if d := order[i].at - order[i-1].at; d > 0 && order[i].trial == order[i-1].trial+1 && !bad[order[i-1].trial] {
			out[order[i-1].label] = append(out[order[i-1].label], d)
		}
	}
	return out
}
