package analysis

import (
	"slices"
	"strconv"
	"strings"

	"lab/bench/results"
	"lab/bench/stats"
	"lab/reports/msg"
)

// A Series is the cells of one environment and variant that differ in the number
// of instances alone: what one more costs is the slope of their medians.
type Series struct {
	Label string
	Cells []*Cell // those with values, the fewest instances first
	TCG   bool
	Why   msg.Message // why there are no values, or ""
}

// Series puts the cells that have values of a metric together, in the order of
// the manifest.
func (a *Analysis) Series(metric string) []*Series {
	var out []*Series
	for _, c := range a.Cells {
		label := results.Label(c.Env, c.Variant, 1)
		i := slices.IndexFunc(out, func(s *Series) bool { return s.Label == label && s.TCG == c.TCG })
		if i < 0 {
			i = len(out)
			out = append(out, &Series{Label: label, TCG: c.TCG})
		}
		switch {
		case c.Samples[metric] != nil:
			out[i].Cells = append(out[i].Cells, c)
		case c.NotRun != nil:
			out[i].Why = NotRun(c)
		case c.Failures() > 0:
			out[i].Why = msg.T("all-failed", msg.T("trials", c.Failures()))
		}
	}
	// A cell that wasn't run isn't known to be emulated: one that was, is.
	out = slices.DeleteFunc(out, func(s *Series) bool {
		return len(s.Cells) == 0 && slices.ContainsFunc(out, func(t *Series) bool { return t != s && t.Label == s.Label })
	})
	for _, s := range out {
		slices.SortStableFunc(s.Cells, func(x, y *Cell) int { return max(x.N, 1) - max(y.N, 1) })
	}
	return out
}

// Line is what one more instance costs in a metric, less that of another series
// where there is one, at the numbers of instances that both have.
func (s *Series) Line(metric string, minus *Series, seed uint64) (stats.Line, error) {
	var at []float64
	var xs, ys [][]float64
	for _, c := range s.Cells {
		if minus != nil {
			o := minus.at(c.N)
			if o == nil {
				continue
			}
			ys = append(ys, o.Samples[metric].Values)
		}
		at = append(at, float64(max(c.N, 1)))
		xs = append(xs, c.Samples[metric].Values)
	}
	return stats.LineOfMedians(at, xs, ys, seed)
}

// rests are the cells that such a line rests on, those of the other series included.
func (s *Series) rests(minus *Series) (out []*Cell) {
	for _, c := range s.Cells {
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
func (s *Series) at(n int) *Cell {
	i := slices.IndexFunc(s.Cells, func(c *Cell) bool { return max(c.N, 1) == max(n, 1) })
	if i < 0 {
		return nil
	}
	return s.Cells[i]
}

// Counts are the numbers of instances: "1, 2, 4".
func (s *Series) Counts() string {
	var out []string
	for _, c := range s.Cells {
		out = append(out, strconv.Itoa(max(c.N, 1)))
	}
	return strings.Join(out, ", ")
}

// judgeSlopes evaluates a finding about what one more instance costs: once for
// each series of the environment.
func (a *Analysis) judgeSlopes(f results.Finding) []Verdict {
	all := a.Series(f.Metric)
	pick := func(env string, variant map[string]string) (out []*Series) {
		for _, s := range all {
			if len(s.Cells) > 0 && s.Cells[0].Env == env && includes(s.Cells[0].Variant, variant) {
				out = append(out, s)
			}
		}
		return out
	}
	of := pick(f.Of, f.OfVariant)
	if len(of) == 0 {
		_, why := a.find(f.Of, f.OfVariant)
		v := cannot(f, results.Label(f.Of, f.OfVariant, 1), msg.Message{}, why)
		v.Lacks = a.lacks(f.Of, f.OfVariant)
		return []Verdict{v}
	}
	var to *Series
	if f.To != "" {
		found := pick(f.To, f.ToVariant)
		if len(found) == 0 {
			_, why := a.find(f.To, f.ToVariant)
			v := cannot(f, of[0].Label, of[0].Name(), why)
			v.Lacks = a.lacks(f.To, f.ToVariant)
			return []Verdict{v}
		}
		to = found[0]
	}
	var out []Verdict
	for _, s := range of {
		out = append(out, a.judgeSlope(f, s, to))
	}
	return out
}

func (a *Analysis) judgeSlope(f results.Finding, s, to *Series) Verdict {
	if s.TCG || to != nil && to.TCG {
		v := cannot(f, s.Label, s.Name(), msg.T("why.tcg-slope"))
		v.Lacks = LacksKVM
		return v
	}
	l, err := s.Line(f.Metric, to, a.Run.Manifest.Seed)
	if err != nil {
		return cannot(f, s.Label, s.Name(), msg.T("why.no-slope", err.Error()))
	}
	m, _ := a.Metric(f.Metric)
	u := msg.ScaleFor(l.Slope.Point, m.Unit)
	figure := u.With(l.Slope.Point)
	text := msg.T("verdict.slope", m.Title, s.Name(), figure, Ends(l.Slope, u))
	if to != nil {
		text = msg.T("verdict.slope-less", m.Title, s.Name(), to.Label, figure, Ends(l.Slope, u))
	}
	v := Verdict{Finding: f, Row: s.Label, Cell: s.Name(), Interval: &l.Slope, Outcome: decide(f, l.Slope), Caveat: caveat(f.Metric, s.rests(to)...)}
	v.setTexts(text, msg.Verbatim(figure), a.threshold(f))
	return v
}

// SlopesShown are the metrics that figures show against the number of instances.
func (a *Analysis) SlopesShown() (out []results.Metric) {
	for _, f := range a.Run.Manifest.Figures {
		for _, name := range f.Metrics {
			if m, ok := a.Metric(name); ok && f.Kind == KindSlopes && !slices.ContainsFunc(out, func(x results.Metric) bool { return x.Name == name }) {
				out = append(out, m)
			}
		}
	}
	return out
}

// Name is what rows and verdicts call a series.
func (s *Series) Name() msg.Message {
	if s.TCG {
		return marked(msg.Verbatim(s.Label), TCGMark)
	}
	return msg.Verbatim(s.Label)
}
