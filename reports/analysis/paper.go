package analysis

import (
	"strings"

	"lab/bench/paper"
	"lab/bench/results"
	"lab/bench/stats"
	"lab/reports/msg"
)

// A PaperRow is a row of a paper's next to what was measured here. Ratios are as the
// paper counts them.
type PaperRow struct {
	paper.Row
	Ratio   float64         // the published one; 0: there is none
	Here    *stats.Interval // of the ratio here; nil: there is none
	Outcome string          // Holds: the two agree; "": the row can't have a verdict
	Figure  msg.Message     // what was measured here, in absolute terms
	Why     msg.Message     // why there is no verdict, or a doubt
	Which   msg.Message     // which of several rows of the run was taken; or nothing
}

// OfPaper sets what these runs came to next to a paper's rows. The rules are the paper
// file's, written before the results. Of several runs of one scenario the first that has
// the row counts. lacks says, by scenario, why there is no run of it; it may be nil.
func OfPaper(s *paper.Suite, runs []*results.Run, lacks map[string]error) []PaperRow {
	var as []*Analysis
	for _, r := range runs {
		as = append(as, Of(r))
	}
	out := make([]PaperRow, len(s.Rows))
	for i, r := range s.Rows {
		out[i] = PaperRow{Row: r, Ratio: r.Published.Ratio(), Outcome: notMeasured}
		if r.Here == nil {
			out[i].Outcome, out[i].Why = Unmeasured, msg.Verbatim(r.Cannot)
			continue
		}
		for _, a := range as {
			switch {
			case a.Run.Manifest.Scenario != r.Here.Scenario || !out[i].Figure.IsZero():
			case otherApp(s.App, a.Run.Manifest.App()):
				out[i].Outcome, out[i].Why = Unmeasured, msg.T("paper.other-app")
			default:
				out[i].measure(a)
			}
		}
		if why := lacks[r.Here.Scenario]; out[i].Outcome == notMeasured && why != nil {
			out[i].Why = msg.Verbatim(why.Error())
		} else if out[i].Outcome == notMeasured {
			out[i].Why = msg.T("paper.absent", r.Here.Scenario)
		}
	}
	for i := range out {
		if r := &out[i]; r.Here != nil && r.Outcome == "" && r.counts() && r.Agrees != nil {
			r.Outcome = r.agree(out)
		}
	}
	return out
}

// otherApp says whether a run was of another application than the paper's, if both are
// known by name or by content; a path says nothing of what is in the file.
func otherApp(paper, run string) bool {
	file := !strings.Contains(paper, "{") && (strings.Contains(paper, "/") || strings.HasSuffix(paper, ".yaml"))
	return paper != "" && run != "" && !file && paper != run
}

// measure finds a row's figures in a run.
func (r *PaperRow) measure(a *Analysis) {
	h := r.Row.Here
	f := results.Finding{Metric: h.Metric, Of: h.Of, OfVariant: h.OfVariant, To: h.To, ToVariant: h.ToVariant, Compare: "ratio", Op: "within"}
	if h.To == "" {
		f.Compare = "value"
	}
	v := a.judge(f)[0]
	if v.Interval == nil {
		r.Outcome, r.Why = Unmeasured, v.why
		return
	}
	r.Outcome, r.Figure, r.Why = "", v.Figure, v.Caveat
	found, _ := a.find(h.Of, h.OfVariant)
	if len(found) > 1 {
		r.Which = msg.T("paper.several", len(found), found[0].Name)
	}
	if h.To == "" {
		return
	}
	if m, ok := a.Metric(h.Metric); ok && len(found) > 0 && found[0].Samples[h.Metric] != nil {
		r.Figure = msg.Verbatim(Middle(m, found[0].Samples[h.Metric]))
	}
	iv := *v.Interval
	if h.Inverse {
		if !(iv.Lo > 0) { // a value of zero: its inverse has no end
			r.Why = msg.T("why.no-ratio")
			return
		}
		iv.Point, iv.Lo, iv.Hi = 1/iv.Point, 1/iv.Hi, 1/iv.Lo
	}
	r.Here = &iv
	if !iv.Known() {
		r.Why = NeedsMore(iv)
	}
}

// agree decides by the row's rule; the whole interval has to lie on one side.
func (r *PaperRow) agree(all []PaperRow) string {
	const most = 1e300
	switch by := r.Agrees.By; r.Agrees.Rule {
	case paper.Within:
		return inside(*r.Here, r.Ratio*(1-by), r.Ratio*(1+by))
	case paper.Direction:
		switch {
		case r.Ratio > 1+by:
			return inside(*r.Here, 1+by, most)
		case r.Ratio < 1-by:
			return inside(*r.Here, -most, 1-by)
		}
		return inside(*r.Here, 1-by, 1+by)
	}
	// The order is as published if it is among all of the group that were measured; it isn't
	// if one other row surely stands on the other side, whatever the rest do.
	outcome := Undecided // alone in its group
	known := true
	for i := range all {
		o := &all[i]
		if o.Agrees == nil || o.Agrees.Group != r.Agrees.Group || o.Here == nil || !o.counts() || o.Ratio == r.Ratio {
			continue
		}
		low, high := r.Here, o.Here
		if r.Ratio > o.Ratio {
			low, high = high, low
		}
		switch {
		case !low.Known() || !high.Known():
			known = false
		case low.Hi < high.Lo:
			outcome = Holds
		case low.Lo > high.Hi:
			return Fails
		default:
			known = false
		}
	}
	if !known {
		return Undecided
	}
	return outcome
}

// counts says whether a row has a published ratio to compare with.
func (r *PaperRow) counts() bool { return r.Ratio > 0 && !r.Published.Abstract }

// inside says whether a whole interval lies between two marks, or outside them.
func inside(iv stats.Interval, lo, hi float64) string {
	switch {
	case !iv.Known():
		return Undecided
	case lo <= iv.Lo && iv.Hi <= hi:
		return Holds
	case iv.Hi < lo || iv.Lo > hi:
		return Fails
	}
	return Undecided
}

var paperVerdicts = map[string]string{Holds: "reproduction.agrees", Fails: "reproduction.differs", Undecided: "outcome.undecided",
	Unmeasured: "outcome.unmeasured", notMeasured: "outcome.absent", "": "paper.no-verdict"}

// Verdict is a row's outcome for people.
func (r PaperRow) Verdict() msg.Message { return msg.T(paperVerdicts[r.Outcome]) }
