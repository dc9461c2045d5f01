package analysis

import (
	"slices"
	"strings"

	"lab/bench/results"
	"lab/bench/stats"
	"lab/reports/msg"
)

// add makes the rows of a pair of cells, one for each metric that either has.
func (c *Contrast) add(x, y *Analysis, p, q *Cell) {
	label := p.Name // an emulated guest's says so
	if p.Label() != q.Label() || p.TCG != q.TCG {
		label = msg.T("contrast.rows", p.Name, q.Name)
	}
	metrics := slices.Clone(x.Metrics)
	for _, m := range y.Metrics {
		if _, ok := x.Metric(m.Name); !ok {
			metrics = append(metrics, m)
		}
	}
	if len(metrics) == 0 {
		metrics = []results.Metric{{Name: "nothing measured"}}
	}
	for _, m := range metrics {
		r := ContrastRow{Cell: label, env: p.Env, Metric: m, Verdict: NotComparable}
		s, t := p.Samples[m.Name], q.Samples[m.Name]
		if s != nil {
			r.A = s.Median
		}
		if t != nil {
			r.B = t.Median
		}
		if r.Reason = incomparable(x, y, p, q, m); r.Reason.IsZero() {
			r.a, r.b, r.Verdict = s.Values, t.Values, NoDifference
		}
		for _, x := range []struct {
			name string
			of   *Cell
		}{{c.A, p}, {c.B, q}} {
			if n := GroupsNote(m.Name, x.of); !n.IsZero() {
				c.note("contrast.groups", x.name, m.Name, n)
			}
		}
		c.Rows = append(c.Rows, r)
	}
}

// incomparable says why b's values aren't to be set against a's, or nothing.
func incomparable(x, y *Analysis, p, q *Cell, m results.Metric) msg.Message {
	for _, c := range []*Cell{p, q} {
		if c.NotRun != nil {
			return msg.T("was", c.Label(), NotRun(c))
		}
	}
	if p.TCG != q.TCG {
		return msg.T("why.one-tcg")
	}
	if (x.Run.Manifest.Paired == nil) != (y.Run.Manifest.Paired == nil) {
		return msg.T("why.one-paired")
	}
	if mx, _ := x.Metric(m.Name); mx.Start && p.Whole != q.Whole {
		return msg.T("why.whole-command")
	}
	if why := otherBytes(x, y); !why.IsZero() {
		return why
	}
	mx, inA := x.Metric(m.Name)
	my, inB := y.Metric(m.Name)
	if inA && inB && (mx.Unit != my.Unit || mx.Better != my.Better) {
		return msg.T("why.other-metric", mx.Unit, mx.Better, my.Unit, my.Better)
	}
	for _, s := range []*Sample{p.Samples[m.Name], q.Samples[m.Name]} {
		switch {
		case s == nil:
			return msg.T("why.one-without")
		case len(s.Values) < stats.MinInterval:
			return msg.T("why.few-values", len(s.Values), stats.MinInterval)
		}
	}
	return msg.Message{}
}

// otherBytes says that two runs didn't run the same, or nothing.
func otherBytes(x, y *Analysis) msg.Message {
	a, b := x.Run.Manifest, y.Run.Manifest
	switch {
	case a.Image.Digest != b.Image.Digest:
		return msg.T("why.images", shortDigest(a.Image), shortDigest(b.Image))
	case a.Workload.Digest != b.Workload.Digest:
		return msg.T("why.workloads", shortDigest(a.Workload), shortDigest(b.Workload))
	}
	return msg.Message{}
}

// shortDigest is enough of a digest to tell it from others.
func shortDigest(d results.Digested) string {
	if d == (results.Digested{}) {
		return "none"
	}
	return strings.TrimSpace(d.Name + " " + strings.ToValidUTF8(d.Digest[:min(len(d.Digest), len("sha256:")+12)], ""))
}

// fill compares as one of a family, and finds the verdict: the interval's.
func (r *ContrastRow) fill(family int) {
	r.Family = max(family, r.atLeast)
	r.Paired, r.Ratio = false, nil
	k, err := stats.Compare(r.b, r.a, r.Family)
	if err != nil {
		r.Verdict, r.Reason = NotComparable, msg.Verbatim(err.Error())
		return
	}
	r.Difference, r.Ratio, r.Effect, r.P = k.Difference, k.Ratio, k.Effect, k.P
	iv, no := k.Difference, 0.0
	if r.pairs[0] != nil {
		if ratio, t, err := stats.PairedRatio(r.pairs[1], r.pairs[0], r.Family); err == nil && ratio.Known() {
			r.Ratio, r.P, r.Paired = &ratio, t.P, true
			r.Difference = stats.Interval{}
			iv, no = ratio, 1
		}
	}
	r.Verdict, r.Reason = r.verdict(iv, no), msg.Message{}
	if r.Verdict == TooFewTrials {
		r.Reason = NeedsMore(iv)
	}
	if two := r.verdict(k.Difference, 0); r.Paired && two != r.Verdict {
		r.Reason = msg.T("contrast.two-samples", VerdictText(two))
	}
}

// verdict is what an interval comes to, where no would be no difference.
func (r *ContrastRow) verdict(iv stats.Interval, no float64) string {
	switch {
	case !iv.Known():
		return TooFewTrials
	case iv.Lo > no || iv.Hi < no:
		return word(r.Metric, iv.Hi < no)
	}
	return NoDifference
}

// pair finds the trials to be compared one by one, where each block has one of either cell: what
// the machine did to both drops out. In a run of pairs a row and its partner have their own.
func (r *ContrastRow) pair(run *results.Run, p, q *Cell) {
	if !r.Compared() || run.Manifest.Grouped > 0 {
		return
	}
	a, b := pairs(p, q, r.Metric.Name)
	if a == nil {
		b, a = pairs(q, p, r.Metric.Name)
	}
	if len(a) >= stats.MinPairs {
		r.pairs = [2][]float64{a, b}
		return
	}
	a, b = nil, nil
	first := map[int]float64{}
	for _, t := range p.Made {
		if v, ok := t.Values[r.Metric.Name]; ok && t.Counts() {
			first[t.block] = v
		}
	}
	for _, t := range q.Made {
		if v, ok := t.Values[r.Metric.Name]; ok && t.Counts() {
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
	r.pairs = [2][]float64{a, b}
}

// decide compares the rows that can be, as families: those of one metric answer one
// question.
func (c *Contrast) decide() {
	family := map[string]int{}
	c.Tests = 0
	for _, r := range c.Rows {
		if r.Compared() {
			family[r.Metric.Name]++
			c.Tests++
		}
	}
	for i := range c.Rows {
		r := &c.Rows[i]
		switch {
		case !r.Compared():
		case c.AllTogether:
			r.fill(c.Tests)
		default:
			r.fill(family[r.Metric.Name])
		}
	}
}

// Together decides anew with all rows as one family, for a question that is put to
// all of them at once, such as whether anything has become slower.
func (c *Contrast) Together() {
	c.AllTogether = true
	c.decide()
}

// Told is how many rows have a verdict.
func (c *Contrast) Told() (n int) {
	for _, r := range c.Rows {
		if r.Compared() && r.Verdict != TooFewTrials {
			n++
		}
	}
	return n
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
