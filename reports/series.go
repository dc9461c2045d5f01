package reports

import (
	"fmt"
	"slices"

	"lab/bench/results"
	"lab/bench/stats"
)

// A series is the cells of one environment and variant that differ in the number
// of instances alone: what one more costs is the slope of their medians.
type series struct {
	label string
	cells []*cell // those with values, the fewest instances first
	tcg   bool
	why   string // why there are no values, or ""
}

// series puts the cells that have values of a metric together, in the order of
// the manifest.
func (a *analysis) series(metric string) []*series {
	var out []*series
	for _, c := range a.cells {
		label := results.Label(c.Env, c.Variant, 1)
		i := slices.IndexFunc(out, func(s *series) bool { return s.label == label && s.tcg == c.tcg })
		if i < 0 {
			i = len(out)
			out = append(out, &series{label: label, tcg: c.tcg})
		}
		switch {
		case c.samples[metric] != nil:
			out[i].cells = append(out[i].cells, c)
		case c.NotRun != nil:
			out[i].why = notRun(c)
		case c.failures() > 0:
			out[i].why = fmt.Sprintf("all %s failed", plural(c.failures(), "trial"))
		}
	}
	// A cell that wasn't run isn't known to be emulated: one that was, is.
	out = slices.DeleteFunc(out, func(s *series) bool {
		return len(s.cells) == 0 && slices.ContainsFunc(out, func(t *series) bool { return t != s && t.label == s.label })
	})
	for _, s := range out {
		slices.SortStableFunc(s.cells, func(x, y *cell) int { return max(x.N, 1) - max(y.N, 1) })
	}
	return out
}

// line is what one more instance costs in a metric, less that of another series
// where there is one, at the numbers of instances that both have.
func (s *series) line(metric string, minus *series, seed uint64) (stats.Line, error) {
	var at []float64
	var xs, ys [][]float64
	for _, c := range s.cells {
		if minus != nil {
			o := minus.at(c.N)
			if o == nil {
				continue
			}
			ys = append(ys, o.samples[metric].values)
		}
		at = append(at, float64(max(c.N, 1)))
		xs = append(xs, c.samples[metric].values)
	}
	return stats.LineOfMedians(at, xs, ys, seed)
}

// rests are the cells that such a line rests on, those of the other series included.
func (s *series) rests(minus *series) (out []*cell) {
	for _, c := range s.cells {
		if minus == nil {
			out = append(out, c)
			continue
		}
		if o := minus.at(c.N); o != nil {
			out = append(out, c, o)
		}
	}
	return out
}

// at is the cell with so many instances, or nil.
func (s *series) at(n int) *cell {
	i := slices.IndexFunc(s.cells, func(c *cell) bool { return max(c.N, 1) == max(n, 1) })
	if i < 0 {
		return nil
	}
	return s.cells[i]
}

// counts are the numbers of instances, in words: "1, 2, 4".
func (s *series) counts() string {
	text := ""
	for i, c := range s.cells {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprint(max(c.N, 1))
	}
	return text
}

// judgeSlopes evaluates a finding about what one more instance costs: once for
// each series of the environment.
func (a *analysis) judgeSlopes(f results.Finding) []verdict {
	all := a.series(f.Metric)
	pick := func(env string, variant map[string]string) (out []*series) {
		for _, s := range all {
			if len(s.cells) > 0 && s.cells[0].Env == env && includes(s.cells[0].Variant, variant) {
				out = append(out, s)
			}
		}
		return out
	}
	of := pick(f.Of, f.OfVariant)
	if len(of) == 0 {
		_, why := a.find(f.Of, f.OfVariant)
		return []verdict{cannot(f, results.Label(f.Of, f.OfVariant, 1), why)}
	}
	var to *series
	if f.To != "" {
		found := pick(f.To, f.ToVariant)
		if len(found) == 0 {
			_, why := a.find(f.To, f.ToVariant)
			return []verdict{cannot(f, of[0].label, why)}
		}
		to = found[0]
	}
	var out []verdict
	for _, s := range of {
		out = append(out, a.judgeSlope(f, s, to))
	}
	return out
}

func (a *analysis) judgeSlope(f results.Finding, s, to *series) verdict {
	label := s.label
	if s.tcg {
		label += ", " + tcgMark
	}
	if s.tcg || to != nil && to.tcg {
		return cannot(f, label, "emulated in software (TCG), which is no measure of what VMs cost")
	}
	l, err := s.line(f.Metric, to, a.run.Manifest.Seed)
	if err != nil {
		return cannot(f, label, "no slope: "+err.Error())
	}
	m, _ := a.metric(f.Metric)
	u := scaleFor(l.Slope.Point, m.Unit)
	text := fmt.Sprintf("%s, for each further one of %s", capital(lower(m.Title)), label)
	if to != nil {
		text += ", less the same of " + to.label
	}
	text += fmt.Sprintf(": %s (%s)", u.with(l.Slope.Point), ends(l.Slope, u))
	v := verdict{finding: f, cell: label, interval: &l.Slope, outcome: decide(f, l.Slope), caveat: caveat(f.Metric, s.rests(to)...)}
	v.says(text, a.thresholdText(f))
	return v
}

// slopesShown are the metrics that figures show against the number of instances.
func (a *analysis) slopesShown() (out []results.Metric) {
	for _, f := range a.run.Manifest.Figures {
		for _, name := range f.Metrics {
			if m, ok := a.metric(name); ok && f.Kind == kindSlopes && !slices.ContainsFunc(out, func(x results.Metric) bool { return x.Name == name }) {
				out = append(out, m)
			}
		}
	}
	return out
}
