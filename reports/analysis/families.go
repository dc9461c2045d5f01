package analysis

import (
	"maps"
	"slices"

	"lab/bench/results"
	"lab/bench/stats"
	"lab/reports/msg"
)

// A Pair is one comparison that the report makes: a row with another one, in a
// metric.
type Pair struct {
	Row, To *Cell
	Metric  string
}

// families finds all comparisons that the report makes. Those of one metric answer
// one question, and are a family: the rows with their baseline, and whatever else
// a finding or a figure sets a row against. What ran under TCG has no verdict, and
// is in none.
func (a *Analysis) families() {
	seen := map[Pair]bool{}
	a.Family = map[string]int{}
	add := func(c, to *Cell, metric string) {
		p := Pair{c, to, metric}
		if m, _ := a.described(metric); m.Certain() {
			return // nothing that chance could make
		}
		if to == nil || to == c || c.TCG || to.TCG || seen[p] || c.Samples[metric] == nil || to.Samples[metric] == nil || a.unlike(c, to, metric) {
			return
		}
		seen[p] = true
		a.Pairs = append(a.Pairs, p)
		a.Family[metric]++
	}
	for _, c := range a.Cells {
		for _, m := range a.Metrics {
			add(c, c.Base, m.Name)
		}
	}
	for _, f := range a.Run.Manifest.Findings {
		if f.To == "" || f.Compare != "ratio" && f.Compare != "difference" {
			continue
		}
		of, _ := a.find(f.Of, f.OfVariant)
		for _, c := range of {
			if len(f.OfExcept) == 0 || !includes(c.Settings, f.OfExcept) {
				to, _ := a.opposite(f, c)
				add(c, to, f.Metric)
			}
		}
	}
	for _, f := range a.Run.Manifest.Figures {
		if f.Kind != KindSteps && (f.Kind != KindRatios || f.To == "") {
			continue
		}
		for _, c := range a.FigureCells(f) {
			base := a.FigureBase(f, c)
			for _, name := range f.Metrics {
				add(c, base, name)
			}
		}
	}
}

// Versus compares two rows in a metric, as one of the metric's family. Every place
// that says something of the two takes it from here. It is nil where one has no
// values.
func (a *Analysis) Versus(c, to *Cell, metric string) *stats.Comparison {
	p := Pair{c, to, metric}
	if k, ok := a.compared[p]; ok {
		return k
	}
	var k *stats.Comparison
	if x, y := c.Samples[metric], to.Samples[metric]; x != nil && y != nil && !a.unlike(c, to, metric) {
		got, err := stats.Comparison{}, stats.ErrEmpty
		if u, v := pairs(c, to, metric); u != nil {
			got, err = stats.ComparePairs(u, v, a.Family[metric])
		}
		if err != nil { // made alone, or of values that have no ratio
			got, err = stats.Compare(x.Values, y.Values, a.Family[metric])
		}
		if err == nil {
			k = &got
		}
	}
	if a.compared == nil {
		a.compared = map[Pair]*stats.Comparison{}
	}
	a.compared[p] = k
	return k
}

// pairs are the values of a row and of its partner that were measured at the same time,
// pair by pair; none if it isn't the row's partner.
func pairs(c, to *Cell, metric string) (x, y []float64) {
	if c.With == "" || c.With != to.Cell.Label() {
		return nil, nil
	}
	of := map[int]float64{}
	for _, t := range to.Made {
		if v, ok := t.Values[metric]; ok && t.Counts() && t.pair > 0 {
			of[t.pair] = v
		}
	}
	for _, t := range c.Made {
		v, ok := t.Values[metric]
		if w, both := of[t.pair]; ok && both && t.Counts() {
			x, y = append(x, v), append(y, w)
		}
	}
	return x, y
}

// unlike says that one row is timed as a whole command, the other in process, and
// that the metric is about just that.
func (a *Analysis) unlike(c, to *Cell, metric string) bool {
	m, _ := a.Metric(metric)
	return m.Start && c.Whole != to.Whole
}

// Joint is what the intervals of a metric's comparisons are made for: "98.3 %".
func (a *Analysis) Joint(metric string) string {
	return confidence(1 - stats.Alpha/float64(max(a.Family[metric], 1)))
}

// JointWhy says why that isn't 95 %, or nothing.
func (a *Analysis) JointWhy(metric string) msg.Message {
	if a.Family[metric] < 2 {
		return msg.Message{}
	}
	return msg.T("family.joint", a.Family[metric], a.Joint(metric))
}

// FamilySizes lists how many comparisons the families have, each number once.
func (a *Analysis) FamilySizes() (out []int) {
	return slices.Compact(slices.Sorted(maps.Values(a.Family)))
}

// TooFew says what a planned run can't tell, before it is made: which rows have
// too few trials for any verdict, however large the difference, and how many would
// do, each once; nothing of a run of one row. times is how often the whole plan is carried out.
func TooFew(m results.Manifest, times int) []msg.Message {
	a := &Analysis{Run: &results.Run{Manifest: m}}
	a.sort()
	var names []string
	name := func(s string) {
		if s != "" && !slices.Contains(names, s) {
			names = append(names, s)
			x, _ := a.described(s)
			x.Name = s
			a.Metrics = append(a.Metrics, x)
		}
	}
	for _, x := range m.Metrics {
		name(x.Name)
	}
	for _, f := range m.Findings {
		name(f.Metric)
	}
	for _, f := range m.Figures {
		for _, x := range f.Metrics {
			name(x)
		}
	}
	for _, c := range a.Cells {
		if c.NotRun != nil {
			continue
		}
		c.Made = make([]Trial, c.Trials*max(times, 1))
		for _, x := range names {
			c.Samples[x] = &Sample{Values: make([]float64, len(c.Made))}
		}
	}
	a.bases()
	a.families()
	if !slices.ContainsFunc(a.Metrics, func(m results.Metric) bool { return !m.Certain() }) {
		return nil // two trials that agree decide
	}
	needs := map[*Cell]int{}
	need := func(c *Cell, n int) { needs[c] = max(needs[c], n) }
	for _, c := range a.Cells {
		if c.NotRun == nil && len(c.Made) < stats.MinInterval {
			need(c, stats.MinInterval)
		}
	}
	for _, p := range a.Pairs {
		n, m, k := len(p.Row.Made), len(p.To.Made), a.Family[p.Metric]
		if p.Row.With != "" && p.Row.With == p.To.Cell.Label() {
			if enough := stats.PairsNeeded(k); n < enough {
				need(p.Row, enough)
			}
			continue
		}
		if enough := stats.Needed(k); !stats.CanTell(n, m, k) {
			for _, c := range []*Cell{p.Row, p.To} {
				if len(c.Made) < enough {
					need(c, enough)
				}
			}
		}
	}
	runs := len(slices.DeleteFunc(slices.Clone(a.Cells), func(c *Cell) bool { return c.NotRun != nil }))
	if runs < 2 { // one row alone is compared with nothing
		return nil
	}
	type few struct{ trials, need int }
	var order []few
	rows := map[few][]msg.Message{}
	for _, c := range a.Cells {
		if n := needs[c]; n > 0 {
			k := few{len(c.Made), n}
			if rows[k] == nil {
				order = append(order, k)
			}
			rows[k] = append(rows[k], msg.Verbatim(c.Cell.Label()))
		}
	}
	var out []msg.Message
	for _, k := range order {
		who := msg.Join("join.comma", rows[k]...)
		switch n := len(rows[k]); {
		case n == runs:
			who = msg.T("trials.each-row", runs)
		case n > many:
			who = msg.T("trials.rows-of", n, runs)
		}
		out = append(out, msg.T("trials.too-few", who, msg.T("trials", k.trials), k.need))
	}
	return out
}

// FigureCells are the rows that a figure is of: of steps, those that differ in By,
// with what may stand before them; of another kind, all but the rows of steps.
func (a *Analysis) FigureCells(f results.Figure) (out []*Cell) {
	steps := map[string]bool{}
	for _, x := range a.Run.Manifest.Figures {
		if x.Kind == KindSteps {
			steps[x.By] = true
		}
	}
	step := func(c *Cell) (by string) {
		for k := range c.Variant {
			if steps[k] {
				by = k
			}
		}
		return by
	}
	of := map[string]bool{} // environments that have rows of the figure's
	for _, c := range a.Cells {
		if f.Kind == KindSteps && step(c) == f.By {
			of[c.Env] = true
		}
	}
	for _, c := range a.Cells {
		switch by := step(c); {
		case f.Kind != KindSteps:
			if by == "" && !c.Silent(f.Metrics...) {
				out = append(out, c)
			}
		case by == f.By, f.To == "" && len(c.Variant) == 0 && !of[c.Env] && !a.Run.Manifest.Environment(c.Env).Guest && !c.Whole:
			out = append(out, c)
		}
	}
	return out
}

// FigureBase is what a figure sets a cell beside, or nil.
func (a *Analysis) FigureBase(f results.Figure, c *Cell) *Cell {
	if f.To == "" && f.Kind == KindSteps {
		rows := a.FigureCells(f)
		if i := slices.Index(rows, c); i > 0 {
			return rows[i-1]
		}
		return nil
	}
	if f.To == "" {
		return c.Base
	}
	if found, _ := a.find(f.To, f.ToVariant); len(found) > 0 && found[0] != c {
		return found[0]
	}
	return nil
}

// FigureBaseName is what the figure calls it.
func (a *Analysis) FigureBaseName(f results.Figure) msg.Message {
	if f.To == "" {
		return a.BaseName()
	}
	return msg.Verbatim(results.Label(f.To, f.ToVariant, 1))
}

// Kinds of figures that are known here. Others are left out, and report.md
// says so: an older lab may read a newer one's folder.
const (
	KindDistribution = "distribution"
	KindPhases       = "phases"
	KindRatios       = "ratios"
	KindPanels       = "panels"
	KindSlopes       = "slopes"
	KindMatrix       = "matrix"
	KindSteps        = "steps"
)
