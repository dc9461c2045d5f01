package reports

import (
	"fmt"
	"slices"
	"strings"

	"lab/bench/results"
	"lab/reports/analysis"
	"lab/reports/msg"
	"lab/reports/page"
	"lab/reports/plot"
)

// A Claim is a sentence that people say, by the number that findings bear, with the
// scenarios that answer it, or what would have to be measured.
type Claim struct {
	Number int
	Text   string
	Lacks  string
	By     []string
	Flags  string // that their runs need
}

// run is what to type.
func (c Claim) run(by ...string) string {
	return strings.TrimSpace("lab run " + strings.Join(by, " ") + " " + c.Flags)
}

// A part is one verdict on a claim, and the results folder that it is from.
type part struct {
	analysis.Verdict
	dir string
}

// A judged claim: it holds if each part that could be judged does, and doesn't if one
// doesn't.
type judged struct {
	Claim
	outcome string
	parts   []part
}

// judge gives a claim its verdict by all runs.
func (c Claim) judge(runs []*analysis.Analysis) judged {
	j := judged{Claim: c, outcome: analysis.Unmeasured}
	n := map[string]int{}
	for _, a := range runs {
		for _, v := range a.Verdicts {
			if v.Finding.Claim == c.Number {
				j.parts = append(j.parts, part{v, a.Run.Dir})
				n[v.Outcome]++
			}
		}
	}
	switch {
	case n[analysis.Fails] > 0:
		j.outcome = analysis.Fails
	case n[analysis.Undecided] > 0:
		j.outcome = analysis.Undecided
	case n[analysis.Holds] > 0:
		j.outcome = analysis.Holds
	}
	// The parts that decided it first.
	rank := []string{j.outcome, analysis.Fails, analysis.Undecided, analysis.Holds, analysis.Unmeasured}
	slices.SortStableFunc(j.parts, func(a, b part) int { return slices.Index(rank, a.Outcome) - slices.Index(rank, b.Outcome) })
	return j
}

// said is a claim's verdict in a line: what decided it, and of how many parts; or what
// would answer it.
func (j judged) said() msg.Message {
	run := j.run(j.By...)
	switch {
	case len(j.By) == 0:
		return msg.T("claims.lacks", j.Lacks)
	case len(j.parts) == 0:
		return msg.T("claims.run", run)
	case j.outcome == analysis.Unmeasured:
		return j.parts[0].Brief()
	}
	first := j.parts[0]
	text := msg.T("claims.part", first.Said)
	if n := len(j.parts); n > 1 {
		k := 0
		for _, p := range j.parts {
			if p.Outcome == j.outcome {
				k++
			}
		}
		text = msg.T("claims.of", first.Said, k, n, analysis.OutcomeText(j.outcome))
	}
	if j.outcome == analysis.Undecided {
		return msg.T("claims.decide", text, run)
	}
	return text
}

// figure is the end of a claim's line: the figure that decided it, or what to run.
func (j judged) figure() msg.Message {
	switch {
	case len(j.By) == 0:
		return msg.T("claims.none-yet")
	case len(j.parts) == 0:
		return msg.Verbatim(j.run(j.By[0]))
	case j.outcome == analysis.Unmeasured:
		return analysis.OutcomeText(j.outcome)
	}
	return j.parts[0].Figure
}

// verdict is the outcome in words.
func (j judged) verdict() msg.Message {
	if len(j.parts) == 0 {
		return msg.T("outcome.absent")
	}
	return analysis.OutcomeText(j.outcome)
}

// Claims is the page that gives each claim its verdict by these runs: a line for each
// on a terminal, all parts with their figures and folders as a file.
func Claims(claims []Claim, runs []*results.Run, whole bool) *page.Page {
	var as []*analysis.Analysis
	for _, r := range runs {
		as = append(as, analysis.Of(r))
	}
	p := &page.Page{}
	p.Title(msg.T("claims.title"))
	n := map[string]int{}
	var all []judged
	for _, c := range claims {
		j := c.judge(as)
		all = append(all, j)
		if len(j.parts) > 0 {
			n[j.outcome]++
		}
	}
	if slices.ContainsFunc(runs, func(r *results.Run) bool { return r.Manifest.Quick }) {
		p.Banner(msg.T("claims.quick"))
	}
	if len(as) > 0 {
		p.Text(msg.T("claims.count", len(claims), n[analysis.Holds], n[analysis.Fails], n[analysis.Undecided], n[analysis.Unmeasured],
			len(claims)-n[analysis.Holds]-n[analysis.Fails]-n[analysis.Undecided]-n[analysis.Unmeasured]))
	}
	for _, j := range all {
		mark, color := sign(j.outcome)
		if !whole {
			p.Mark(color, fmt.Sprintf("%s %2d", mark, j.Number), j.Text, j.figure())
			continue
		}
		p.Section(msg.T("claims.head", j.Number, j.Text))
		p.Text(msg.T("claims.verdict", j.verdict(), j.said()))
		for _, x := range j.parts {
			p.List(msg.T("claims.part-whole", analysis.OutcomeText(x.Outcome), x.Finding.Statement, x.Brief(), analysis.ShortDir(x.dir)))
		}
	}
	p.Gap()
	switch {
	case whole:
		p.Text(msg.T("claims.how"))
	case len(as) == 0:
		p.Text(msg.T("claims.all"))
	default:
		p.Text(msg.T("claims.marks"))
	}
	return p
}

// WriteClaims writes claims.md into the folder dir, as the user's.
func WriteClaims(claims []Claim, runs []*results.Run, dir string, uid, gid int) error {
	return writeFiles(dir, []plot.File{{Name: "claims.md", Data: Claims(claims, runs, true).Markdown(msg.Reader())}}, uid, gid, nil)
}
