package reports

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"lab/bench/results"
	"lab/bench/stats"
)

// What a verdict can say.
const (
	holds      = "holds"
	fails      = "doesn't hold"
	undecided  = "undecided"
	unmeasured = "can't be measured here"
)

// A verdict is a finding's outcome, computed and never written by hand.
type verdict struct {
	finding  results.Finding
	cell     string // whom it is about
	outcome  string
	said     string // the figures alone
	rule     string // threshold and reason; "" where there is no verdict by it
	sentence string // both; ends "on this machine."
	interval *stats.Interval
	caveat   string // what nobody may quote it without, or ""
}

// says words a verdict: the figures, and the rule where there are enough of them.
func (v *verdict) says(text, rule string) {
	v.said, v.rule = text, rule
	if !v.interval.Known() {
		v.said, v.rule = text+"; "+cantTell(*v.interval), ""
	}
	v.sentence = strings.Join(nonEmpty(v.said, v.rule), "; ") + ", " + here + "."
}

// judge evaluates a finding, once for each cell that it speaks of.
func (a *analysis) judge(f results.Finding) []verdict {
	if f.Compare == "slope" {
		return a.judgeSlopes(f)
	}
	of, why := a.find(f.Of, f.OfVariant)
	if len(of) == 0 {
		return []verdict{cannot(f, results.Label(f.Of, f.OfVariant, 1), why)}
	}
	var out []verdict
	for _, c := range of {
		if len(f.OfExcept) > 0 && includes(c.Settings, f.OfExcept) {
			continue
		}
		out = append(out, a.judgeCell(f, c))
	}
	return out
}

// find returns the measured cells of an environment, or why there are none.
func (a *analysis) find(env string, variant map[string]string) (found []*cell, why string) {
	for _, c := range a.cells {
		if c.Env != env || !includes(c.Variant, variant) {
			continue
		}
		switch {
		case c.NotRun != nil:
			why = notRun(c)
		case c.counted() > 0:
			found = append(found, c)
		case c.failures() > 0:
			why = fmt.Sprintf("all %s of %s failed, the last with: %s",
				plural(c.failures(), "trial"), c.label, shortened(c.lastError()))
		default:
			why = c.label + " has no trials"
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

func cannot(f results.Finding, label, why string) verdict {
	return verdict{finding: f, cell: label, outcome: unmeasured,
		sentence: label + ": " + oneLine(strings.TrimRight(why, ".")) + "; so there is no verdict on this machine."}
}

func (a *analysis) judgeCell(f results.Finding, c *cell) verdict {
	to, why := (*cell)(nil), ""
	if f.To != "" && (f.Compare == "ratio" || f.Compare == "difference") {
		if to, why = a.opposite(f, c); to == nil {
			return cannot(f, c.label, why)
		}
	}
	// Durations and sizes of an emulated guest say nothing about guests; only
	// what its start consists of may be told, unless the finding forbids it.
	for _, x := range []*cell{c, to} {
		if x != nil && x.tcg && (f.NeedsKVM || f.Compare != "share") {
			return cannot(f, c.label, "emulated in software (TCG), which is no measure of how fast VMs are")
		}
	}
	iv, text, err := a.figure(f, c, to)
	if err != nil {
		return cannot(f, c.label, err.Error())
	}
	rests := []*cell{c}
	if to != nil {
		rests = append(rests, to)
	}
	v := verdict{finding: f, cell: c.label, interval: &iv, outcome: decide(f, iv), caveat: caveat(f.Metric, rests...)}
	text = capital(text)
	v.says(text, a.thresholdText(f))
	return v
}

// opposite is the cell that c is compared with: the one with c's own variant
// where there are several.
func (a *analysis) opposite(f results.Finding, c *cell) (*cell, string) {
	found, why := a.find(f.To, f.ToVariant)
	if len(found) == 0 {
		return nil, why
	}
	best, most := (*cell)(nil), -1
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
func (a *analysis) figure(f results.Finding, c, to *cell) (stats.Interval, string, error) {
	none := stats.Interval{}
	m, ok := a.metric(f.Metric)
	x := c.samples[f.Metric]
	if !ok || x == nil {
		return none, "", errors.New(strings.Join(nonEmpty("no value of "+f.Metric, c.why(f.Metric)), ": "))
	}
	if to != nil && to.samples[f.Metric] == nil {
		return none, "", errors.New(strings.Join(nonEmpty(to.label+" has no value of "+f.Metric, to.why(f.Metric)), ": "))
	}
	say := fmt.Sprintf("%s of %s", lower(m.Title), c.label)
	switch {
	case f.Compare == "value":
		s := scaleFor(x.median.Point, m.Unit)
		return x.median, fmt.Sprintf("%s: %s (%s)", say, s.with(x.median.Point), ends(x.median, s, f.Threshold)), nil
	case f.Compare == "share":
		iv, err := stats.MedianInterval(shares(c, f.Metric, f.Part))
		if err != nil {
			return none, "", fmt.Errorf("its %s has no parts", f.Metric)
		}
		return iv, fmt.Sprintf("share of %s in the %s: %s (%s)", a.partTitle(f.Part), say,
			percent(iv.Point), ends(iv, percents, f.Threshold)), nil
	case f.Compare == "difference" && to != nil:
		if k := a.versus(c, to, f.Metric); k != nil {
			s := scaleFor(k.Difference.Point, m.Unit)
			return k.Difference, fmt.Sprintf("%s, less that of %s: %s (%s)", say, to.label, s.with(k.Difference.Point), ends(k.Difference, s, f.Threshold)), nil
		}
	case f.Compare == "ratio" && to != nil:
		if k := a.versus(c, to, f.Metric); k != nil && k.Ratio != nil {
			return *k.Ratio, fmt.Sprintf("%s: %s that of %s (%s)", say, times(k.Ratio.Point), to.label, ends(*k.Ratio, bare, marks(f)...)), nil
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
		return undecided
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
		return holds
	case no:
		return fails
	}
	return undecided
}

// thresholdText says what the figure was held against, and why.
func (a *analysis) thresholdText(f results.Finding) string {
	var t string
	m, _ := a.metric(f.Metric)
	switch f.Compare {
	case "ratio":
		t = plain(f.Threshold) + " ×"
	case "share":
		t = plain(f.Threshold*100) + " %"
	default:
		s := scaleFor(f.Threshold, m.Unit)
		t = s.join(plain(f.Threshold / s.times))
	}
	if f.Op == "within" {
		t = "± " + t
		if f.Compare == "ratio" {
			t = "1 ± " + plain(f.Threshold)
		}
	}
	s := "to hold, the whole interval has to be " + f.Op + " " + t
	if f.Reason != "" {
		s += " (" + strings.TrimRight(f.Reason, ".") + ")"
	}
	return s
}

// ends writes an interval's two ends and what they are. The ends aren't rounded to
// marks, which they are held against.
func ends(iv stats.Interval, s scale, marks ...float64) string {
	text := s.join(s.span(iv.Lo, iv.Hi, marks...))
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

func spanOf(iv stats.Interval, u scale) string {
	s := u.span(iv.Lo, iv.Hi)
	if !iv.Known() {
		s = "range " + s
	}
	return s
}
