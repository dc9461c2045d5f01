package analysis

import (
	"fmt"
	"math"
	"strings"

	"lab/bench/results"
	"lab/reports/msg"
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
	x, y := Of(original), Of(&copied)
	for _, v := range x.Verdicts {
		row := ReproductionRow{Name: v.Finding.Name, Statement: v.Finding.Statement, Cell: v.Cell, Was: v.Outcome, WasCaveat: v.Caveat, Is: "not measured"}
		if w := sameVerdict(v, y.Verdicts); w != nil {
			row.Is, row.IsCaveat = w.Outcome, w.Caveat
		}
		row.Verdict, row.Reason = r.judge(v, row, x, y)
		r.Rows = append(r.Rows, row)
	}
	return r, nil
}

func sameVerdict(v Verdict, all []Verdict) *Verdict {
	plainLabel := func(s string) string { return strings.TrimSuffix(s, ", "+TCGMark) }
	for i, w := range all {
		if w.Finding.Name == v.Finding.Name && plainLabel(w.Cell) == plainLabel(v.Cell) {
			return &all[i]
		}
	}
	return nil
}

func (r *Reproduction) judge(v Verdict, row ReproductionRow, x, y *Analysis) (verdict, reason string) {
	if why := unlike(v, x, y); why != "" {
		return NotComparable, why
	}
	decided := func(s string) bool { return s == Holds || s == Fails }
	if !decided(row.Was) || !decided(row.Is) {
		return CantTell, row.changed()
	}
	if row.Was != row.Is {
		return Differs, row.changed()
	}
	if r.Same {
		if moved := r.moved(v); moved != "" {
			return Differs, "its outcome is the same" + row.Caveats() + ", its figures aren't: " + moved
		}
	}
	return Agrees, ""
}

// Caveats are those of an outcome that is the same in both.
func (row ReproductionRow) Caveats() string {
	return Beside(strings.Join(msg.NonEmpty(prefixed("originally ", row.WasCaveat), prefixed("now ", row.IsCaveat)), ", "))
}

func prefixed(head, s string) string {
	if s == "" {
		return ""
	}
	return head + s
}

// changed says both outcomes.
func (row ReproductionRow) changed() string {
	return fmt.Sprintf("it was %s%s, and now it is %s%s", quoted(row.Was), Beside(row.WasCaveat), quoted(row.Is), Beside(row.IsCaveat))
}

func quoted(s string) string { return "“" + s + "”" }

// unlike says why two runs' values can't be set beside each other.
func unlike(v Verdict, x, y *Analysis) string {
	if why := otherBytes(x, y); why != "" {
		return why
	}
	a, b := x.Run.Manifest.Kernel, y.Run.Manifest.Kernel
	for _, env := range []string{v.Finding.Of, v.Finding.To} {
		for _, p := range x.Cells {
			q := sameCell(p, y.Cells)
			if p.Env != env || q == nil || p.NotRun != nil || q.NotRun != nil {
				continue
			}
			if p.TCG != q.TCG {
				return "one was emulated in software (TCG), which is no measure of how fast VMs are"
			}
			if x.Run.Manifest.Environment(env).Guest && a.Digest != b.Digest {
				return "the guests' kernels differ: " + digests(a, b)
			}
		}
	}
	return ""
}

// moved names the medians that a finding rests on and that are others now.
func (r *Reproduction) moved(v Verdict) string {
	var out []string
	for _, row := range r.Figures.Rows {
		env, _, _ := strings.Cut(row.Cell, " ")
		env = strings.TrimSuffix(env, ",")
		if row.Metric.Name != v.Finding.Metric || env != v.Finding.Of && env != v.Finding.To || !row.Compared() ||
			row.Verdict == NoDifference || row.Verdict == TooFewTrials || row.Ratio == nil || math.Abs(row.Ratio.Point-1) <= Tolerance {
			continue
		}
		out = append(out, fmt.Sprintf("%s of %s is %s (%s that of the original, %s)", row.Metric.Name, row.Cell,
			row.Verdict, msg.Times(row.Ratio.Point), msg.Bare.Span(row.Ratio.Lo, row.Ratio.Hi, 1)))
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
