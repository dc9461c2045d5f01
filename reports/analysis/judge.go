package analysis

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
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

// A Verdict is a finding's outcome, computed and never written by hand.
type Verdict struct {
	Finding  results.Finding
	Cell     string // whom it is about
	Outcome  string
	Said     string // the figures alone
	rule     string // threshold and reason; "" where there is no verdict by it
	Sentence string // both; ends "on this machine."
	Interval *stats.Interval
	Caveat   string // what nobody may quote it without, or ""
}

// says words a verdict: the figures, and the rule where there are enough of them.
func (v *Verdict) says(text, rule string) {
	v.Said, v.rule = text, rule
	if !v.Interval.Known() {
		v.Said, v.rule = text+"; "+NeedsMore(*v.Interval), ""
	}
	v.Sentence = strings.Join(msg.NonEmpty(v.Said, v.rule), "; ") + ", " + Here + "."
}

// judge evaluates a finding, once for each cell that it speaks of.
func (a *Analysis) judge(f results.Finding) []Verdict {
	if f.Compare == "slope" {
		return a.judgeSlopes(f)
	}
	of, why := a.find(f.Of, f.OfVariant)
	if len(of) == 0 {
		return []Verdict{cannot(f, results.Label(f.Of, f.OfVariant, 1), why)}
	}
	var out []Verdict
	for _, c := range of {
		if len(f.OfExcept) > 0 && includes(c.Settings, f.OfExcept) {
			continue
		}
		out = append(out, a.judgeCell(f, c))
	}
	return out
}

// find returns the measured cells of an environment, or why there are none.
func (a *Analysis) find(env string, variant map[string]string) (found []*Cell, why string) {
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
			why = fmt.Sprintf("all %s of %s failed, the last with: %s",
				msg.Plural(c.Failures(), "trial"), c.Name, msg.Shortened(c.lastError()))
		default:
			why = c.Name + " has no trials"
		}
	}
	if why == "" {
		why = "not part of this run"
	}
	return found, why
}

func includes(all, some map[string]string) bool {
	for k, v := range some {
		if w, ok := all[k]; !ok || w != v {
			return false
		}
	}
	return true
}

func cannot(f results.Finding, label, why string) Verdict {
	return Verdict{Finding: f, Cell: label, Outcome: Unmeasured,
		Sentence: label + ": " + msg.OneLine(strings.TrimRight(why, ".")) + "; so there is no verdict on this machine."}
}

func (a *Analysis) judgeCell(f results.Finding, c *Cell) Verdict {
	to, why := (*Cell)(nil), ""
	if f.To != "" && (f.Compare == "ratio" || f.Compare == "difference") {
		if to, why = a.opposite(f, c); to == nil {
			return cannot(f, c.Name, why)
		}
	}
	// Durations and sizes of an emulated guest say nothing about guests; only
	// what its start consists of may be told, unless the finding forbids it.
	for _, x := range []*Cell{c, to} {
		if x != nil && x.TCG && (f.NeedsKVM || f.Compare != "share") {
			return cannot(f, c.Name, "emulated in software (TCG), which is no measure of how fast VMs are")
		}
	}
	iv, text, err := a.figure(f, c, to)
	if err != nil {
		return cannot(f, c.Name, err.Error())
	}
	rests := []*Cell{c}
	if to != nil {
		rests = append(rests, to)
	}
	v := Verdict{Finding: f, Cell: c.Name, Interval: &iv, Outcome: decide(f, iv), Caveat: caveat(f.Metric, rests...)}
	text = msg.Capital(text)
	v.says(text, a.thresholdText(f))
	return v
}

// opposite is the cell that c is compared with: the one with c's own variant
// where there are several.
func (a *Analysis) opposite(f results.Finding, c *Cell) (*Cell, string) {
	found, why := a.find(f.To, f.ToVariant)
	if len(found) == 0 {
		return nil, why
	}
	best, most := (*Cell)(nil), -1
	for _, x := range found {
		if x == c || max(x.N, 1) != max(c.N, 1) {
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
		return nil, "there is nothing to compare it with"
	}
	return best, ""
}

// figure computes what the finding is about, with the words that say it.
func (a *Analysis) figure(f results.Finding, c, to *Cell) (stats.Interval, string, error) {
	none := stats.Interval{}
	m, ok := a.Metric(f.Metric)
	x := c.Samples[f.Metric]
	if !ok || x == nil {
		return none, "", errors.New(strings.Join(msg.NonEmpty("no value of "+f.Metric, c.Why(f.Metric)), ": "))
	}
	if to != nil && to.Samples[f.Metric] == nil {
		return none, "", errors.New(strings.Join(msg.NonEmpty(to.Name+" has no value of "+f.Metric, to.Why(f.Metric)), ": "))
	}
	say := fmt.Sprintf("%s of %s", msg.Lower(m.Title), c.Name)
	switch {
	case f.Compare == "value":
		s := msg.ScaleFor(x.Median.Point, m.Unit)
		return x.Median, fmt.Sprintf("%s: %s (%s)", say, s.With(x.Median.Point), Ends(x.Median, s, f.Threshold)), nil
	case f.Compare == "share":
		iv, err := stats.MedianInterval(shares(c, f.Metric, f.Part))
		if err != nil {
			return none, "", fmt.Errorf("its %s has no parts", f.Metric)
		}
		return iv, fmt.Sprintf("share of %s in the %s: %s (%s)", a.partTitle(f.Part), say,
			msg.Percent(iv.Point), Ends(iv, msg.Percents, f.Threshold)), nil
	case f.Compare == "difference" && to != nil:
		if k := a.Versus(c, to, f.Metric); k != nil {
			s := msg.ScaleFor(k.Difference.Point, m.Unit)
			return k.Difference, fmt.Sprintf("%s, less that of %s: %s (%s)", say, to.Name, s.With(k.Difference.Point), Ends(k.Difference, s, f.Threshold)), nil
		}
	case f.Compare == "ratio" && to != nil:
		if k := a.Versus(c, to, f.Metric); k != nil && k.Ratio != nil {
			return *k.Ratio, fmt.Sprintf("%s: %s that of %s (%s)", say, msg.Times(k.Ratio.Point), to.Name, Ends(*k.Ratio, msg.Bare, marks(f)...)), nil
		}
		return none, "", errors.New("values of zero or below have no ratio")
	}
	return none, "", fmt.Errorf("this lab doesn't know how to compare by %q", f.Compare)
}

// marks are the values that an interval's ends must not be rounded to: a ratio's
// bounds.
func marks(f results.Finding) []float64 {
	if f.Op == "within" {
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

// thresholdText says what the figure was held against, and why.
func (a *Analysis) thresholdText(f results.Finding) string {
	var t string
	m, _ := a.Metric(f.Metric)
	switch f.Compare {
	case "ratio":
		t = msg.Plain(f.Threshold) + " ×"
	case "share":
		t = msg.Plain(f.Threshold*100) + " %"
	default:
		s := msg.ScaleFor(f.Threshold, m.Unit)
		t = s.Join(msg.Plain(f.Threshold / s.Times))
	}
	if f.Op == "within" {
		t = "± " + t
		if f.Compare == "ratio" {
			t = "1 ± " + msg.Plain(f.Threshold)
		}
	}
	s := "to hold, the whole interval has to be " + f.Op + " " + t
	if f.Reason != "" {
		s += " (" + strings.TrimRight(f.Reason, ".") + ")"
	}
	return s
}

// Ends writes an interval's two ends and what they are. The ends aren't rounded to
// marks, which they are held against.
func Ends(iv stats.Interval, s msg.Scale, marks ...float64) string {
	text := s.Join(s.Span(iv.Lo, iv.Hi, marks...))
	if !iv.Known() {
		return fmt.Sprintf("range %s, too few for an interval", text)
	}
	confidence := 0.95
	if iv.Method == stats.Ranks { // made for more, where it is one of a family
		confidence = iv.Confidence
	}
	return intervalName(confidence) + " " + text
}

// intervalName is what an interval is called by what it was made for: what its
// order statistics attain may be a little more.
func intervalName(confidence float64) string {
	return strconv.FormatFloat(confidence*100, 'g', 3, 64) + " % interval"
}

func SpanOf(iv stats.Interval, u msg.Scale) string {
	s := u.Span(iv.Lo, iv.Hi)
	if !iv.Known() {
		s = "range " + s
	}
	return s
}
