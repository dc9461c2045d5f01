package analysis

import (
	"maps"
	"math"
	"slices"
	"strings"

	"lab/bench/results"
	"lab/bench/stats"
	"lab/reports/msg"
)

// What a verdict can say.
const (
	Holds      = "holds"
	Fails      = "doesn't hold"
	Undecided  = "undecided"
	Unmeasured = "can't be measured here"
)

var outcomes = map[string]string{Holds: "outcome.holds", Fails: "outcome.fails", Undecided: "outcome.undecided",
	Unmeasured: "outcome.unmeasured", notMeasured: "outcome.absent"}

// OutcomeText is an outcome for people.
func OutcomeText(outcome string) msg.Message { return msg.T(outcomes[outcome]) }

// A Verdict is a finding's outcome, computed and never written by hand.
type Verdict struct {
	Finding  results.Finding
	Row      string      // whom it is about, as in the manifest
	Cell     msg.Message // what the report calls that
	Outcome  string
	Interval *stats.Interval // of what was compared; nil if it can't be measured
	Figure   msg.Message     // its middle: "2.55 ms", "7.98 ×"
	Said     msg.Message     // the figure with its interval, and what it is of
	Caveat   msg.Message     // what nobody may quote it without, or nothing

	// What an unmeasured one would take, where more than its reason says: LacksKVM or
	// LacksRow.
	Lacks string

	rule, why msg.Message // threshold and reason; why there is no verdict
}

// What a verdict can lack.
const (
	LacksKVM = "kvm" // its guest was emulated
	LacksRow = "row" // its row wasn't part of the run
)

// manyTrials is more than anybody makes of a row; fewTrials what its interval needs to
// be worth having.
const (
	manyTrials = 300
	fewTrials  = 20
)

// Enough is about how many trials of each of its rows would decide an undecided verdict,
// rounded up to tens: an interval's ends come nearer to its middle with the root of their
// number. many says that it would take more than three hundred, as the middle is next to the
// threshold; a half more than computed are asked for, as the middle moves, too.
func (v *Verdict) Enough() (n int, many bool) {
	iv, near, end := v.Interval, math.Inf(1), 0.0
	if iv == nil || !iv.Known() {
		return fewTrials, false
	}
	ends := []float64{v.Finding.Threshold}
	if v.Finding.Op == "within" {
		centre := 0.0
		if v.Finding.Compare == "ratio" {
			centre = 1
		}
		ends = []float64{centre - v.Finding.Threshold, centre + v.Finding.Threshold}
	}
	for _, t := range ends {
		if d := math.Abs(iv.Point - t); iv.Lo <= t && t <= iv.Hi && d < near {
			near, end = d, math.Max(iv.Hi-iv.Point, 0)
			if t < iv.Point {
				end = iv.Point - iv.Lo
			}
		}
	}
	need := 1.5 * float64(iv.N) * (end / near) * (end / near)
	if math.IsNaN(need) || need > manyTrials {
		return manyTrials, true
	}
	return max(fewTrials, 10*int(math.Ceil(need/10))), false
}

// Sentence is all that is said of a verdict: the figures and the rule, or why it
// can't be measured.
func (v *Verdict) Sentence() msg.Message {
	if v.Interval == nil {
		return msg.T("verdict.unmeasured", v.Cell, v.why)
	}
	return msg.T("here", msg.Join("join.semicolon", v.Said, v.rule))
}

// Rest is what a verdict's figures leave to be said: the rule, or why there is none.
func (v *Verdict) Rest() msg.Message {
	if v.Interval == nil {
		return v.Sentence()
	}
	if v.rule.IsZero() {
		return msg.Message{}
	}
	return msg.T("rule.whole", v.rule)
}

// Brief is a verdict's sentence where “on this machine” is said of all.
func (v *Verdict) Brief() msg.Message {
	if v.Interval == nil {
		return msg.T("verdict.unmeasured-brief", v.Cell, v.why)
	}
	return msg.T("sentence", msg.Join("join.semicolon", v.Said, v.rule))
}

// Why says why there is no verdict; nothing if there is one.
func (v *Verdict) Why() msg.Message { return v.why }

// setTexts words a verdict: the figures, and the rule if there are enough of them.
func (v *Verdict) setTexts(text, figure, rule msg.Message) {
	v.Said, v.Figure, v.rule = text, figure, rule
	if !v.Interval.Known() && !disagree(*v.Interval) {
		v.Said, v.rule = msg.Join("join.semicolon", text, NeedsMore(*v.Interval)), msg.Message{}
	}
}

// judge evaluates a finding, once for each cell that it speaks of.
func (a *Analysis) judge(f results.Finding) []Verdict {
	if f.Compare == "slope" {
		return a.judgeSlopes(f)
	}
	of, why := a.find(f.Of, f.OfVariant)
	if len(of) == 0 {
		v := cannot(f, results.Label(f.Of, f.OfVariant, 1), msg.Message{}, why)
		v.Lacks = a.lacks(f.Of, f.OfVariant)
		return []Verdict{v}
	}
	var out []Verdict
	for _, c := range of {
		if f.Plain && len(c.Variant) > 0 {
			continue
		}
		if len(f.OfExcept) > 0 && includes(c.Settings, f.OfExcept) {
			continue
		}
		out = append(out, a.judgeCell(f, c))
	}
	return out
}

// find returns the measured cells of an environment, or why there are none.
func (a *Analysis) find(env string, variant map[string]string) (found []*Cell, why msg.Message) {
	why = msg.T("why.not-part")
	for _, c := range a.Cells {
		if c.Env != env || !includes(c.Variant, variant) {
			continue
		}
		switch {
		case c.NotRun != nil:
			why = NotRun(c)
		case c.Counted() > 0:
			found = append(found, c)
		case c.Failures() > 0:
			why = msg.T("why.failed", msg.T("trials", c.Failures()), c.Name, msg.Shortened(c.lastError()))
		default:
			why = msg.T("why.no-trials", c.Name)
		}
	}
	return found, why
}

// lacks is LacksRow where the run has no row of an environment with such a variant.
func (a *Analysis) lacks(env string, variant map[string]string) string {
	if slices.ContainsFunc(a.Cells, func(c *Cell) bool { return c.Env == env && includes(c.Variant, variant) }) {
		return ""
	}
	return LacksRow
}

func includes(all, some map[string]string) bool {
	for k, v := range some {
		if w, ok := all[k]; !ok || w != v {
			return false
		}
	}
	return true
}

func cannot(f results.Finding, row string, name, why msg.Message) Verdict {
	if name.IsZero() {
		name = msg.Verbatim(row)
	}
	return Verdict{Finding: f, Row: row, Cell: name, Outcome: Unmeasured, why: why}
}

func (a *Analysis) judgeCell(f results.Finding, c *Cell) Verdict {
	no := func(why msg.Message) Verdict { return cannot(f, c.Cell.Label(), c.Name, why) }
	var to *Cell
	if f.To != "" && (f.Compare == "ratio" || f.Compare == "difference") {
		var why msg.Message
		if to, why = a.opposite(f, c); to == nil {
			v := no(why)
			v.Lacks = a.lacks(f.To, f.ToVariant)
			return v
		}
	}
	described, _ := a.described(f.Metric)
	certain := described.Certain()
	// Durations and sizes of an emulated guest say nothing about guests; only
	// what its start consists of may be told, unless the finding forbids it.
	for _, x := range []*Cell{c, to} {
		if x != nil && x.TCG && !certain && (f.NeedsKVM || f.Compare != "share") {
			v := no(msg.T("why.tcg"))
			v.Lacks = LacksKVM
			return v
		}
	}
	x, why := a.figure(f, c, to)
	if !why.IsZero() {
		return no(why)
	}
	rests := []*Cell{c}
	if to != nil {
		rests = append(rests, to)
	}
	v := Verdict{Finding: f, Row: c.Cell.Label(), Cell: c.Name, Interval: &x.interval, Outcome: decide(f, x.interval)}
	if !certain {
		v.Caveat = caveat(f.Metric, rests...)
	}
	v.setTexts(x.text, x.figure, a.threshold(f))
	return v
}

// opposite is the cell that c is compared with: the one with c's own variant
// where there are several.
func (a *Analysis) opposite(f results.Finding, c *Cell) (*Cell, msg.Message) {
	found, why := a.find(f.To, f.ToVariant)
	if len(found) == 0 {
		return nil, why
	}
	best, most := (*Cell)(nil), -1
	for _, x := range found {
		if x == c || f.Plain && len(x.Variant) > 0 || max(x.N, 1) != max(c.N, 1) {
			continue
		}
		common := 0
		for _, k := range slices.Sorted(maps.Keys(c.Variant)) {
			if x.Variant[k] == c.Variant[k] {
				common++
			}
		}
		if common > most {
			best, most = x, common
		}
	}
	if best == nil {
		return nil, msg.T("why.no-opposite")
	}
	return best, msg.Message{}
}

// A measured figure is what a finding is held against.
type measured struct {
	interval     stats.Interval
	text, figure msg.Message
}

// figure computes what the finding is about, or says why it can't.
func (a *Analysis) figure(f results.Finding, c, to *Cell) (out measured, why msg.Message) {
	m, ok := a.Metric(f.Metric)
	x := c.Samples[f.Metric]
	if !ok || x == nil {
		return out, msg.Join("join.colon", msg.T("why.no-value", f.Metric), c.Why(f.Metric))
	}
	if to != nil && to.Samples[f.Metric] == nil {
		return out, msg.Join("join.colon", msg.T("why.no-value-of", to.Name, f.Metric), to.Why(f.Metric))
	}
	says := func(iv stats.Interval, figure string, u msg.Scale, id string, args ...any) (measured, msg.Message) {
		text := msg.T(id, append(args, m.Title, c.Name, figure, Ends(iv, u, marks(f)...))...)
		return measured{iv, text, msg.Verbatim(figure)}, msg.Message{}
	}
	switch {
	case f.Compare == "value" && len(m.Words) > 0:
		word := m.Word(x.Median.Point)
		return measured{x.Median, msg.T("verdict.answer", m.Title, c.Name, word, answersText(x.Median)), msg.Verbatim(word)}, msg.Message{}
	case f.Compare == "value":
		u := msg.ScaleFor(x.Median.Point, m.Unit)
		return says(x.Median, Middle(m, x), u, "verdict.value")
	case f.Compare == "share":
		iv, err := stats.MedianInterval(shares(c, f.Metric, f.Part))
		if err != nil {
			return out, msg.T("why.no-parts", f.Metric)
		}
		return says(iv, msg.Percent(iv.Point), msg.Percents, "verdict.share", a.partTitle(f.Part))
	case f.Compare == "difference" && to != nil && m.Certain():
		b := to.Samples[f.Metric].Median
		iv := stats.Interval{Point: x.Median.Point - b.Point, Lo: x.Median.Lo - b.Hi, Hi: x.Median.Hi - b.Lo, N: min(x.Median.N, b.N), Needs: 2, Method: stats.Range}
		switch {
		case x.Median.Known() && b.Known():
			iv.Method = stats.Agreed
		case disagree(x.Median) || disagree(b):
			iv.Needs = 0
		}
		u := msg.ScaleFor(iv.Point, m.Unit)
		return says(iv, u.With(iv.Point), u, "verdict.difference", to.Name)
	case f.Compare == "difference" && to != nil:
		if k := a.Versus(c, to, f.Metric); k != nil {
			u := msg.ScaleFor(k.Difference.Point, m.Unit)
			return says(k.Difference, u.With(k.Difference.Point), u, "verdict.difference", to.Name)
		}
	case f.Compare == "ratio" && to != nil:
		if k := a.Versus(c, to, f.Metric); k != nil && k.Ratio != nil {
			return says(*k.Ratio, msg.Times(k.Ratio.Point), msg.Bare, "verdict.ratio", to.Name)
		}
		return out, msg.T("why.no-ratio")
	}
	return out, msg.T("why.unknown", f.Compare)
}

// marks are the values that an interval's ends must not be rounded to: a threshold,
// or a ratio's bounds.
func marks(f results.Finding) []float64 {
	if f.Op == "within" && f.Compare == "ratio" {
		return []float64{1 - f.Threshold, 1 + f.Threshold}
	}
	return []float64{f.Threshold}
}

// decide sets the whole interval against the threshold.
func decide(f results.Finding, iv stats.Interval) string {
	if !iv.Known() {
		return Undecided
	}
	lo, hi := iv.Lo, iv.Hi
	centre := 0.0
	if f.Compare == "ratio" {
		centre = 1
	}
	var yes, no bool
	switch f.Op {
	case "below":
		yes, no = hi < f.Threshold, lo >= f.Threshold
	case "above":
		yes, no = lo > f.Threshold, hi <= f.Threshold
	case "within":
		yes = centre-f.Threshold <= lo && hi <= centre+f.Threshold
		no = hi < centre-f.Threshold || lo > centre+f.Threshold
	}
	switch {
	case yes:
		return Holds
	case no:
		return Fails
	}
	return Undecided
}

// threshold says what the figure was held against, and why.
func (a *Analysis) threshold(f results.Finding) msg.Message {
	var t string
	m, _ := a.Metric(f.Metric)
	switch f.Compare {
	case "ratio":
		t = msg.Round(f.Threshold) + " ×"
	case "share":
		t = msg.Round(f.Threshold*100) + " %"
	default:
		s := msg.ScaleFor(f.Threshold, m.Unit)
		t = s.Round(f.Threshold)
	}
	if f.Compare == "value" && len(m.Words) > 0 {
		var fine []string
		for i, w := range m.Words {
			if (float64(i) > f.Threshold) == (f.Op == "above") {
				fine = append(fine, "“"+w+"”")
			}
		}
		return msg.T("rule.reason", msg.T("rule.is", strings.Join(fine, " / ")), f.Reason)
	}
	rule := msg.T("rule.below", t)
	switch {
	case f.Op == "above":
		rule = msg.T("rule.above", t)
	case f.Op == "within" && f.Compare == "ratio":
		rule = msg.T("rule.within", "1 ± "+msg.Round(f.Threshold))
	case f.Op == "within":
		rule = msg.T("rule.within", "± "+t)
	}
	if f.Reason != "" {
		rule = msg.T("rule.reason", rule, strings.TrimRight(f.Reason, "."))
	}
	return rule
}
