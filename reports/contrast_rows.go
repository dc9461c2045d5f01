package reports

import (
	"fmt"
	"lab/bench/results"
	"lab/bench/stats"
	"slices"
	"strings"
)

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
	if why := otherBytes(x, y); why != "" {
		return why
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

// otherBytes says that two runs didn't run the same, or nothing.
func otherBytes(x, y *analysis) string {
	a, b := x.run.Manifest, y.run.Manifest
	switch {
	case a.Image.Digest != b.Image.Digest:
		return "the images differ: " + digests(a.Image, b.Image)
	case a.Workload.Digest != b.Workload.Digest:
		return "the workloads differ: " + digests(a.Workload, b.Workload)
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
