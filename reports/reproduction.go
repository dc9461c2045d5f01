package reports

import (
	"fmt"
	"math"
	"strings"

	"lab/bench/results"
)

// What a reproduction says of a finding.
const (
	Agrees    = "agrees"
	Differs   = "differs"
	CantTell  = "can't be told"
	Tolerance = 0.1 // how far a median may move on the same machine
)

// A Reproduction sets a run that was made once more beside the original.
type Reproduction struct {
	Rows    []ReproductionRow
	Figures *Contrast // the medians: the original is a
	Same    bool      // on the same machine
}

// A ReproductionRow is one of the original's findings.
type ReproductionRow struct {
	Name, Statement, Cell string
	Was, Is               string // outcomes
	WasCaveat, IsCaveat   string // what they may not be quoted without, or ""
	Verdict, Reason       string
}

// Reproduce judges the original's findings by both runs.
//
// A finding agrees where both came to the same outcome, and differs where it
// holds in the one and doesn't in the other; with one undecided it can't be
// told. On the same machine its figures must agree, too: it also differs where a
// median that it rests on was found to be another one (see [Compare]) by more
// than [Tolerance]. On another machine figures are another machine's.
func Reproduce(original, again *results.Run) (*Reproduction, error) {
	copied := *again
	copied.Manifest.Findings = original.Manifest.Findings
	figures, err := Compare(original, again)
	if err != nil {
		return nil, err
	}
	r := &Reproduction{Figures: figures, Same: original.Machine.ID != "" && original.Machine.ID == again.Machine.ID}
	x, y := analyse(original), analyse(&copied)
	for _, v := range x.verdicts {
		row := ReproductionRow{Name: v.finding.Name, Statement: v.finding.Statement, Cell: v.cell, Was: v.outcome, WasCaveat: v.caveat, Is: "not measured"}
		if w := sameVerdict(v, y.verdicts); w != nil {
			row.Is, row.IsCaveat = w.outcome, w.caveat
		}
		row.Verdict, row.Reason = r.judge(v, row, x, y)
		r.Rows = append(r.Rows, row)
	}
	return r, nil
}

func sameVerdict(v verdict, all []verdict) *verdict {
	plainLabel := func(s string) string { return strings.TrimSuffix(s, ", "+tcgMark) }
	for i, w := range all {
		if w.finding.Name == v.finding.Name && plainLabel(w.cell) == plainLabel(v.cell) {
			return &all[i]
		}
	}
	return nil
}

func (r *Reproduction) judge(v verdict, row ReproductionRow, x, y *analysis) (verdict, reason string) {
	if why := unlike(v, x, y); why != "" {
		return NotComparable, why
	}
	decided := func(s string) bool { return s == holds || s == fails }
	if !decided(row.Was) || !decided(row.Is) {
		return CantTell, row.changed()
	}
	if row.Was != row.Is {
		return Differs, row.changed()
	}
	if r.Same {
		if moved := r.moved(v); moved != "" {
			return Differs, "its outcome is the same" + row.caveats() + ", its figures aren't: " + moved
		}
	}
	return Agrees, ""
}

// caveats are those of an outcome that is the same in both.
func (row ReproductionRow) caveats() string {
	return beside(strings.Join(nonEmpty(prefixed("originally ", row.WasCaveat), prefixed("now ", row.IsCaveat)), ", "))
}

func prefixed(head, s string) string {
	if s == "" {
		return ""
	}
	return head + s
}

// changed says both outcomes.
func (row ReproductionRow) changed() string {
	return fmt.Sprintf("it was %s%s, and now it is %s%s", quoted(row.Was), beside(row.WasCaveat), quoted(row.Is), beside(row.IsCaveat))
}

func quoted(s string) string { return "“" + s + "”" }

// unlike says why two runs' values can't be set beside each other.
func unlike(v verdict, x, y *analysis) string {
	if why := otherBytes(x, y); why != "" {
		return why
	}
	a, b := x.run.Manifest.Kernel, y.run.Manifest.Kernel
	for _, env := range []string{v.finding.Of, v.finding.To} {
		for _, p := range x.cells {
			q := sameCell(p, y.cells)
			if p.Env != env || q == nil || p.NotRun != nil || q.NotRun != nil {
				continue
			}
			if p.tcg != q.tcg {
				return "one was emulated in software (TCG), which is no measure of how fast VMs are"
			}
			if x.run.Manifest.Environment(env).Guest && a.Digest != b.Digest {
				return "the guests' kernels differ: " + digests(a, b)
			}
		}
	}
	return ""
}

// moved names the medians that a finding rests on and that are others now.
func (r *Reproduction) moved(v verdict) string {
	var out []string
	for _, row := range r.Figures.Rows {
		env, _, _ := strings.Cut(row.Cell, " ")
		env = strings.TrimSuffix(env, ",")
		if row.Metric.Name != v.finding.Metric || env != v.finding.Of && env != v.finding.To || !row.Compared() ||
			row.Verdict == NoDifference || row.Verdict == TooFewTrials || row.Ratio == nil || math.Abs(row.Ratio.Point-1) <= Tolerance {
			continue
		}
		out = append(out, fmt.Sprintf("%s of %s is %s (%s that of the original, %s)", row.Metric.Name, row.Cell,
			row.Verdict, times(row.Ratio.Point), bare.span(row.Ratio.Lo, row.Ratio.Hi, 1)))
	}
	return strings.Join(out, "; ")
}

// Count is how many rows have a verdict.
func (r *Reproduction) Count(verdict string) int {
	n := 0
	for _, row := range r.Rows {
		if row.Verdict == verdict {
			n++
		}
	}
	return n
}
