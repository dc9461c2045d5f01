package analysis

import (
	"math"
	"slices"

	"lab/bench/results"
	"lab/reports/msg"
)

// What a reproduction says of a finding.
const (
	Agrees   = "agrees"
	Differs  = "differs"
	CantTell = "can't be told"

	notMeasured = "not measured"
	Tolerance   = 0.1 // how far a median may move on the same machine
)

// A Reproduction sets a run that was made once more beside the original.
type Reproduction struct {
	Rows    []ReproductionRow
	Figures *Contrast // the medians: the original is a
	Same    bool      // on the same machine
}

// A ReproductionRow is one of the original's findings.
type ReproductionRow struct {
	Name, Statement     string
	Cell                msg.Message
	Was, Is             string      // outcomes
	WasCaveat, IsCaveat msg.Message // what they may not be quoted without, or nothing
	Verdict             string
	Reason              msg.Message
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
		row := ReproductionRow{Name: v.Finding.Name, Statement: v.Finding.Statement, Cell: v.Cell, Was: v.Outcome, WasCaveat: v.Caveat, Is: notMeasured}
		if w := sameVerdict(v, y.Verdicts); w != nil {
			row.Is, row.IsCaveat = w.Outcome, w.Caveat
		}
		row.Verdict, row.Reason = r.judge(v, row, x, y)
		r.Rows = append(r.Rows, row)
	}
	return r, nil
}

func sameVerdict(v Verdict, all []Verdict) *Verdict {
	for i, w := range all {
		if w.Finding.Name == v.Finding.Name && w.Row == v.Row {
			return &all[i]
		}
	}
	return nil
}

func (r *Reproduction) judge(v Verdict, row ReproductionRow, x, y *Analysis) (verdict string, reason msg.Message) {
	if why := unlike(v, x, y); !why.IsZero() {
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
		if moved := r.moved(v); !moved.IsZero() {
			return Differs, msg.T("reproduction.moved", Beside(msg.T("reproduction.same"), row.caveats()), moved)
		}
	}
	return Agrees, msg.Message{}
}

// caveats are those of an outcome that is the same in both.
func (row ReproductionRow) caveats() msg.Message {
	var was, is msg.Message
	if !row.WasCaveat.IsZero() {
		was = msg.T("reproduction.originally", row.WasCaveat)
	}
	if !row.IsCaveat.IsZero() {
		is = msg.T("reproduction.now", row.IsCaveat)
	}
	return msg.Join("join.comma", was, is)
}

// changed says both outcomes.
func (row ReproductionRow) changed() msg.Message {
	outcome := func(o string, caveat msg.Message) msg.Message { return Beside(msg.T("quoted", OutcomeText(o)), caveat) }
	return msg.T("reproduction.changed", outcome(row.Was, row.WasCaveat), outcome(row.Is, row.IsCaveat))
}

// unlike says why two runs' values can't be set beside each other.
func unlike(v Verdict, x, y *Analysis) msg.Message {
	if why := otherBytes(x, y); !why.IsZero() {
		return why
	}
	for _, env := range []string{v.Finding.Of, v.Finding.To} {
		for _, p := range x.Cells {
			q := sameCell(p, y.Cells)
			if p.Env != env || q == nil || p.NotRun != nil || q.NotRun != nil {
				continue
			}
			if p.TCG != q.TCG {
				return msg.T("why.one-tcg")
			}
			a, b := x.Run.Manifest.KernelOf(p.Cell), y.Run.Manifest.KernelOf(q.Cell)
			if x.Run.Manifest.Environment(env).Guest && a != b {
				return msg.T("why.kernels", shortDigest(results.Digested{Name: p.Settings["kernel-version"], Digest: a}), shortDigest(results.Digested{Name: q.Settings["kernel-version"], Digest: b}))
			}
		}
	}
	return msg.Message{}
}

// moved names the medians that a finding rests on and that are others now.
func (r *Reproduction) moved(v Verdict) msg.Message {
	var out []msg.Message
	for _, row := range r.Figures.Rows {
		if row.Metric.Name != v.Finding.Metric || row.env != v.Finding.Of && row.env != v.Finding.To || !row.Compared() ||
			row.Verdict == NoDifference || row.Verdict == TooFewTrials || row.Ratio == nil || math.Abs(row.Ratio.Point-1) <= Tolerance {
			continue
		}
		out = append(out, msg.T("reproduction.moved-row", row.Metric.Name, row.Cell, VerdictText(row.Verdict),
			msg.Times(row.Ratio.Point), msg.Bare.Span(row.Ratio.Lo, row.Ratio.Hi, 1)))
	}
	return msg.Join("join.semicolon", out...)
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

// Why is why a row has its verdict: the outcome, where both agree.
func (row ReproductionRow) Why() msg.Message {
	if row.Reason.IsZero() {
		return Beside(OutcomeText(row.Was), row.caveats())
	}
	return row.Reason
}

// Grouped are the rows by verdict and reason, in the order of the first of each.
func (r *Reproduction) Grouped() (out [][]ReproductionRow) {
	say := msg.English().Text
	for _, row := range r.Rows {
		n := slices.IndexFunc(out, func(g []ReproductionRow) bool {
			return g[0].Verdict == row.Verdict && say(g[0].Why()) == say(row.Why())
		})
		if n < 0 {
			out = append(out, nil)
			n = len(out) - 1
		}
		out[n] = append(out[n], row)
	}
	return out
}
