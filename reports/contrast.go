package reports

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"lab/bench/results"
	"lab/bench/stats"
)

// What a contrast's row can say. Times and rates are faster or slower, other
// metrics better or worse, and those without a good direction lower or higher.
const (
	Faster        = "faster"
	Slower        = "slower"
	Better        = "better"
	Worse         = "worse"
	Lower         = "lower"
	Higher        = "higher"
	NoDifference  = "no difference found"
	NotComparable = "not comparable"
)

// A Contrast sets two runs of one scenario side by side, or two cells of one
// run: b against a.
type Contrast struct {
	A, B    string // what the two are called: folders, or "net=bridge"
	Rows    []ContrastRow
	Differs []Difference // between machines and settings
	Notes   []string     // what must be known to read the rows
	Tests   int          // comparisons that Corrected is corrected for
}

// A ContrastRow is one metric of one cell, or of two that stand against each
// other. Values are in base units.
type ContrastRow struct {
	Cell    string // "container", or "host → container"
	Metric  results.Metric
	A, B    stats.Interval // medians
	Verdict string
	Reason  string // why not comparable

	// Of b against a. Ratio is nil where a value isn't above zero.
	Difference stats.Interval
	Ratio      *stats.Interval
	Paired     bool // Ratio and P are of the trials' pairs, one a block (stats.PairedRatio)
	Effect     stats.Effect
	P          float64 // Mann-Whitney, two-sided
	Corrected  float64 // after Holm, for all rows
}

// Compared reports whether the row has figures of b against a.
func (r ContrastRow) Compared() bool { return r.Verdict != NotComparable }

// Compare sets run b against run a, cell by cell. Runs of different scenarios
// are an error: their metrics mean different things.
func Compare(a, b *results.Run) (*Contrast, error) {
	if a.Manifest.Scenario != b.Manifest.Scenario {
		return nil, fmt.Errorf("compare: %s is a run of %s, and %s of %s: only runs of one scenario can be compared",
			a.Dir, a.Manifest.Scenario, b.Dir, b.Manifest.Scenario)
	}
	x, y := analyse(a), analyse(b)
	c := &Contrast{A: a.Dir, B: b.Dir, Differs: differences(a, b)}
	seen := map[*cell]bool{}
	for _, p := range x.cells {
		q := sameCell(p, y.cells)
		if q == nil {
			c.note("%s has a row %s, and %s hasn't.", c.A, p.Label(), c.B)
			continue
		}
		seen[q] = true
		c.add(x, y, p, q)
	}
	for _, q := range y.cells {
		if !seen[q] {
			c.note("%s has a row %s, and %s hasn't.", c.B, q.Label(), c.A)
		}
	}
	c.note("The trials of the two runs weren't mixed: whatever the machine did differently between the runs is part of each ratio, and no interval knows of it.")
	for _, s := range []struct {
		name string
		a    *analysis
	}{{c.A, x}, {c.B, y}} {
		c.disturbed(s.name, s.a)
		for _, b := range s.a.banners() {
			c.note("%s: %s", s.name, b)
		}
	}
	c.decide()
	return c, nil
}

// CompareBy sets the cells of one run against each other that differ in by
// alone, which is "env", "n" or a variant's name: those with the value b
// against those with the value a.
func CompareBy(run *results.Run, by, a, b string) (*Contrast, error) {
	x := analyse(run)
	c := &Contrast{A: by + "=" + a, B: by + "=" + b}
	if by == "env" {
		c.A, c.B = a, b
	}
	for _, p := range x.cells {
		if value(p, by) != a {
			continue
		}
		for _, q := range x.cells {
			if value(q, by) == b && agree(p, q, by) {
				first := len(c.Rows)
				c.add(x, x, p, q)
				for i := range c.Rows[first:] {
					c.Rows[first+i].pair(run, p, q)
				}
				c.Differs = append(c.Differs, settingsOf(p, q)...)
			}
		}
	}
	if len(c.Rows) == 0 {
		return nil, fmt.Errorf("compare: %s has no two rows that differ in nothing but %s, %s against %s", run.Dir, by, a, b)
	}
	if run.Manifest.Grouped > 0 {
		c.note("The trials of the rows weren't shuffled: whatever the machine did meanwhile is part of each ratio.")
	} else {
		c.note("The trials of the rows were mixed in one order shuffled from the seed %d.", run.Manifest.Seed)
	}
	if slices.ContainsFunc(c.Rows, func(r ContrastRow) bool { return r.Paired }) {
		c.note("Each ratio is of the pairs of trials that one block has: the middle one, after Hodges and Lehmann, with the interval and the p-value of Wilcoxon's signed-rank test in place of those named below. It needn't be the ratio of the two medians.")
	}
	c.disturbed(run.Dir, x)
	for _, b := range x.banners() {
		c.note("%s", b)
	}
	c.decide()
	return c, nil
}

// Values lists what by can be in a run, in the order of its rows.
func Values(run *results.Run, by string) []string {
	var out []string
	for _, c := range run.Manifest.Cells {
		if v := value(&cell{Cell: c}, by); v != "" && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// Choices lists what the rows of a run differ in: env, n, variants' names.
func Choices(run *results.Run) []string {
	names := map[string]bool{}
	for _, c := range run.Manifest.Cells {
		for k := range c.Variant {
			names[k] = true
		}
	}
	out := append([]string{"env", "n"}, slices.Sorted(maps.Keys(names))...)
	return slices.DeleteFunc(out, func(by string) bool { return len(Values(run, by)) < 2 })
}

func value(c *cell, by string) string {
	switch by {
	case "env":
		return c.Env
	case "n":
		return strconv.Itoa(max(c.N, 1))
	}
	return c.Variant[by]
}

// agree reports whether two cells differ in nothing but by. Environments don't
// have the same settings: what only one of them has is no contradiction.
func agree(p, q *cell, by string) bool {
	if by != "env" && p.Env != q.Env || by != "n" && max(p.N, 1) != max(q.N, 1) {
		return false
	}
	for k, v := range p.Variant {
		if w, ok := q.Variant[k]; k != by && (ok && v != w || !ok && by != "env") {
			return false
		}
	}
	return by == "env" || len(p.Variant) == len(q.Variant)
}

func sameCell(c *cell, cells []*cell) *cell {
	for _, x := range cells {
		if x.Label() == c.Label() {
			return x
		}
	}
	return nil
}

func (c *Contrast) note(format string, args ...any) {
	c.Notes = append(c.Notes, fmt.Sprintf(format, args...))
}

func (c *Contrast) disturbed(name string, a *analysis) {
	n, of := 0, 0
	for _, x := range a.cells {
		n += x.disturbed()
		of += x.counted()
	}
	if n > 0 {
		c.note("%s: %d of %s were disturbed; they are counted.", name, n, plural(of, "trial"))
	}
}

// add makes the rows of a pair of cells, one for each metric that either has.
func (c *Contrast) add(x, y *analysis, p, q *cell) {
	label := p.label // an emulated guest's says so
	if q.label != label {
		label += " → " + q.label
	}
	metrics := slices.Clone(x.metrics)
	for _, m := range y.metrics {
		if _, ok := x.metric(m.Name); !ok {
			metrics = append(metrics, m)
		}
	}
	if len(metrics) == 0 {
		metrics = []results.Metric{{Name: "nothing measured"}}
	}
	for _, m := range metrics {
		r := ContrastRow{Cell: label, Metric: m, Verdict: NotComparable}
		s, t := p.samples[m.Name], q.samples[m.Name]
		if s != nil {
			r.A = s.median
		}
		if t != nil {
			r.B = t.median
		}
		if r.Reason = incomparable(x, y, p, q, m); r.Reason == "" {
			r.fill(s.values, t.values, x.run.Manifest.Seed)
		}
		c.Rows = append(c.Rows, r)
	}
}

// incomparable says why b's values aren't to be set against a's, or "".
func incomparable(x, y *analysis, p, q *cell, m results.Metric) string {
	for _, c := range []*cell{p, q} {
		if c.NotRun != nil {
			return c.Label() + " was " + notRun(c)
		}
	}
	if p.tcg != q.tcg {
		return "one was emulated in software (TCG), which is no measure of how fast VMs are"
	}
	a, b := x.run.Manifest, y.run.Manifest
	switch {
	case a.Image.Digest != b.Image.Digest:
		return "the images differ: " + digests(a.Image, b.Image)
	case a.Workload.Digest != b.Workload.Digest:
		return "the workloads differ: " + digests(a.Workload, b.Workload)
	}
	mx, inA := x.metric(m.Name)
	my, inB := y.metric(m.Name)
	if inA && inB && (mx.Unit != my.Unit || mx.Better != my.Better) {
		return fmt.Sprintf("the metric isn't the same: %q, better %q; and %q, better %q", mx.Unit, mx.Better, my.Unit, my.Better)
	}
	for _, s := range []*sample{p.samples[m.Name], q.samples[m.Name]} {
		switch {
		case s == nil:
			return "one of the two has no value of it"
		case len(s.values) < stats.MinInterval:
			return fmt.Sprintf("%s, and an interval needs %d", plural(len(s.values), "value"), stats.MinInterval)
		}
	}
	return ""
}

func digests(a, b results.Digested) string {
	return strings.Join([]string{shortDigest(a), shortDigest(b)}, " and ")
}

// shortDigest is enough of a digest to tell it from others.
func shortDigest(d results.Digested) string {
	if d == (results.Digested{}) {
		return "none"
	}
	return strings.TrimSpace(d.Name + " " + d.Digest[:min(len(d.Digest), len("sha256:")+12)])
}

func (r *ContrastRow) fill(a, b []float64, seed uint64) {
	d, err := stats.DifferenceOfMedians(b, a, seed)
	if err != nil {
		r.Reason = err.Error()
		return
	}
	r.Verdict, r.Difference = NoDifference, d
	if q, err := stats.RatioOfMedians(b, a, seed); err == nil {
		r.Ratio = &q
	}
	r.Effect, _ = stats.EffectSize(b, a)
	t, _ := stats.MannWhitney(b, a)
	r.P = t.P
}

// pair compares trial by trial, where each block has one of either cell: what
// the machine did to both drops out.
func (r *ContrastRow) pair(run *results.Run, p, q *cell) {
	if !r.Compared() || run.Manifest.Grouped > 0 {
		return
	}
	first := map[int]float64{}
	for _, t := range p.trials {
		if v, ok := t.values[r.Metric.Name]; ok && t.counts() {
			first[t.block] = v
		}
	}
	var a, b []float64
	for _, t := range q.trials {
		if v, ok := t.values[r.Metric.Name]; ok && t.counts() {
			if w, ok := first[t.block]; ok {
				a, b = append(a, w), append(b, v)
			}
		}
	}
	// With some trials alone in their block the pairs would be another sample
	// than the table's.
	if len(a) < stats.MinPairs || len(a) < max(r.A.N, r.B.N)*9/10 {
		return
	}
	if iv, t, err := stats.PairedRatio(b, a); err == nil {
		r.Ratio, r.P, r.Paired = &iv, t.P, true
	}
}

// decide corrects all rows' tests together, and finds the verdicts.
func (c *Contrast) decide() {
	var rows []*ContrastRow
	var ps []float64
	for i := range c.Rows {
		if r := &c.Rows[i]; r.Compared() {
			rows, ps = append(rows, r), append(ps, r.P)
		}
	}
	for i, p := range stats.Holm(ps) {
		r := rows[i]
		r.Corrected = p
		switch {
		case r.Paired && stats.DifferRatio(*r.Ratio, p):
			r.Verdict = word(r.Metric, r.Ratio.Point < 1)
		case !r.Paired && stats.Differ(r.Difference, p):
			r.Verdict = word(r.Metric, r.Difference.Point < 0)
		}
	}
	c.Tests = len(rows)
}

// word is what a metric's being lower, or higher, comes to.
func word(m results.Metric, lower bool) string {
	good := lower == (m.Better == "lower")
	speed := m.Unit == "s" || strings.HasSuffix(m.Unit, "/s")
	switch {
	case m.Better == "" && lower:
		return Lower
	case m.Better == "":
		return Higher
	case speed && good:
		return Faster
	case speed:
		return Slower
	case good:
		return Better
	}
	return Worse
}
