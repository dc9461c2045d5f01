package reports

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
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
	Number  int
	Text    string
	Lacks   string
	By      []string
	Further string // what to type behind lab run where no scenario's default answers all of it
}

// run is what to type where nothing of the claim was measured.
func (c Claim) run() string { return runLine(cmp.Or(c.Further, strings.Join(c.By, " "))) }

func runLine(words string) string { return "sudo lab run " + words }

// A part is one verdict on a claim, and the run that it is from.
type part struct {
	analysis.Verdict
	run *results.Run
}

// rows are the words behind lab run for the rows that a part is about, asked for as in its
// run, or as by its scenario's default where that didn't have them.
func (p part) rows() string {
	m, envs := p.run.Manifest, []string{}
	for _, e := range []string{p.Finding.Of, p.Finding.To} {
		if e != "" && !slices.Contains(envs, e) {
			envs = append(envs, e)
		}
	}
	words := []string{m.Scenario, "--env", strings.Join(envs, ",")}
	if m.Asked == nil {
		return strings.Join(words, " ")
	}
	for _, f := range m.Asked.Fields() {
		switch f.Key {
		case "environments", "trials", "warmup", "seed", "quick", "precision", "max_time", "sessions", "parameters", "prepare":
		default:
			if !f.Place {
				words = append(words, f.Typed()...)
			}
		}
	}
	return strings.Join(words, " ")
}

// decide says what would decide an undecided part, and whether it is next to its threshold.
func (p part) decide() (words string, near bool) {
	n, near := p.Enough()
	return fmt.Sprintf("%s -r %d", p.rows(), n), near
}

// cure is what to do about parts that can't be measured for one reason, beyond what that
// says; nothing if it has it.
func cure(c Claim, parts ...part) msg.Message {
	var runs []string
	for _, p := range parts {
		words := p.rows()
		if p.Lacks == analysis.LacksRow && c.Further != "" {
			words = c.Further
		}
		if run := runLine(words); !slices.Contains(runs, run) {
			runs = append(runs, run)
		}
	}
	switch all := strings.Join(runs, "`, `"); parts[0].Lacks {
	case analysis.LacksKVM:
		return msg.T("claims.kvm", all)
	case analysis.LacksRow:
		return msg.T("claims.row", all)
	}
	return msg.Message{}
}

// reason is why a part can't be measured, and what it takes, apart from its row.
func (p part) reason() string { return p.Lacks + " " + p.Why().String() }

// A judged claim: it holds if each part that could be judged does, and doesn't if one
// doesn't. It is undecided if all parts there are hold and a scenario that has others
// wasn't run.
type judged struct {
	Claim
	outcome string
	parts   []part
	missing []string // the scenarios that weren't run, if one was
}

// judge gives a claim its verdict by all runs.
func (c Claim) judge(runs []*analysis.Analysis) judged {
	j := judged{Claim: c, outcome: analysis.Unmeasured}
	n := map[string]int{}
	for _, a := range runs {
		for _, v := range a.Verdicts {
			if v.Finding.Claim == c.Number {
				j.parts = append(j.parts, part{v, a.Run})
			}
		}
	}
	j.parts = withRows(j.parts)
	for _, p := range j.parts {
		n[p.Outcome]++
	}
	for _, s := range c.By {
		if len(j.parts) > 0 && !slices.ContainsFunc(j.parts, func(p part) bool { return p.run.Manifest.Scenario == s }) {
			j.missing = append(j.missing, s)
		}
	}
	switch {
	case n[analysis.Fails] > 0:
		j.outcome = analysis.Fails
	case n[analysis.Undecided] > 0, n[analysis.Holds] > 0 && len(j.missing) > 0:
		j.outcome = analysis.Undecided
	case n[analysis.Holds] > 0:
		j.outcome = analysis.Holds
	}
	// The parts that decided it first.
	rank := []string{j.outcome, analysis.Fails, analysis.Undecided, analysis.Holds, analysis.Unmeasured}
	slices.SortStableFunc(j.parts, func(a, b part) int { return slices.Index(rank, a.Outcome) - slices.Index(rank, b.Outcome) })
	return j
}

// withRows leaves out what a run says of rows that it didn't have where another run has
// them, and all but the first of several that didn't; and what a run left undecided where
// another, of as many trials at least, decides it of the same row.
func withRows(parts []part) (out []part) {
	of := func(p part) string { return p.run.Manifest.Scenario + " " + p.Finding.Name }
	decides := func(o, p part) bool {
		return of(o) == of(p) && o.Row == p.Row && (o.Outcome == analysis.Holds || o.Outcome == analysis.Fails) && o.Interval.N >= p.Interval.N
	}
	for i, p := range parts {
		if p.Outcome == analysis.Undecided && slices.ContainsFunc(parts, func(o part) bool { return decides(o, p) }) {
			continue
		}
		if p.Lacks == analysis.LacksRow && slices.ContainsFunc(parts, func(o part) bool { return of(o) == of(p) && o.Lacks != analysis.LacksRow }) ||
			p.Lacks == analysis.LacksRow && slices.ContainsFunc(parts[:i], func(o part) bool { return of(o) == of(p) }) {
			continue
		}
		out = append(out, p)
	}
	return out
}

// inOneLine is a claim's verdict in a line: what decided it, and of how many parts; or what
// would answer it.
func (j judged) inOneLine() msg.Message {
	switch {
	case len(j.By) == 0:
		return msg.T("claims.lacks", j.Lacks)
	case len(j.parts) == 0:
		return msg.T("claims.run", j.run())
	case j.outcome == analysis.Unmeasured:
		return cured(j.parts[0].Brief(), cure(j.Claim, j.parts[0]))
	}
	first := j.parts[0]
	text := msg.T("claims.part", first.Said)
	if n := len(j.parts); n > 1 && first.Outcome == j.outcome {
		k := 0
		for _, p := range j.parts {
			if p.Outcome == j.outcome {
				k++
			}
		}
		text = msg.T("claims.of", first.Said, k, n, analysis.OutcomeText(j.outcome))
	}
	runs, near := j.deciding()
	said := strings.Join(runs, "; ")
	switch {
	case len(j.missing) > 0 && j.outcome == analysis.Undecided:
		return msg.T("claims.missing", text, said)
	case near:
		return msg.T("claims.near", text, said)
	case len(runs) > 0:
		return msg.T("claims.decide", text, said)
	}
	return text
}

// cured is a reason with what to do about it, if there is more than it says.
func cured(why, cure msg.Message) msg.Message {
	if cure.IsZero() {
		return why
	}
	return msg.T("claims.cured", why, cure)
}

// deciding are the runs that would decide an undecided claim: one of each scenario in
// which a part is undecided, with the environments and trials that all these need, and one
// of the scenarios that weren't run. near
// says that a part is so near to its threshold that no run may.
func (j judged) deciding() (runs []string, near bool) {
	if j.outcome != analysis.Undecided {
		return nil, false
	}
	most, order := map[string]int{}, []string{}
	for _, p := range j.parts {
		if p.Outcome != analysis.Undecided {
			continue
		}
		n, close := p.Enough()
		near = near || close
		rows := p.rows()
		if most[rows] == 0 {
			order = append(order, rows)
		}
		most[rows] = max(most[rows], n)
	}
	for _, rows := range order {
		runs = append(runs, runLine(fmt.Sprintf("%s -r %d", rows, most[rows])))
	}
	if len(j.missing) > 0 {
		runs = append(runs, runLine(strings.Join(j.missing, " ")))
	}
	return runs, near
}

// figure is the end of a claim's line: the figure that decided it, or what to run.
func (j judged) figure() msg.Message {
	switch {
	case len(j.By) == 0:
		return msg.T("claims.none-yet")
	case len(j.parts) == 0 && j.Further != "":
		return msg.T("claims.below")
	case len(j.parts) == 0:
		return msg.Verbatim(runLine(j.By[0]))
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
	return claimsPage(claims, runs, whole, "")
}

// claimsPage is that page. With dir the runs that are in folders below it show the picture
// that a claim's verdict is from.
func claimsPage(claims []Claim, runs []*results.Run, whole bool, dir string) *page.Page {
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
		p.Mark(color, fmt.Sprintf("%s %2d", mark, j.Number), j.Text, j.figure())
	}
	for _, j := range all {
		if !whole {
			break
		}
		p.Section(msg.T("claims.head", j.Number, j.Text))
		p.Text(msg.T("claims.verdict", j.verdict(), j.inOneLine()))
		for _, x := range j.parts {
			said := x.Brief()
			switch x.Outcome {
			case analysis.Undecided:
				words, near := x.decide()
				id := "claims.decide-part"
				if near {
					id = "claims.near-part"
				}
				said = msg.T(id, said, runLine(words))
			case analysis.Unmeasured:
				continue
			}
			p.List(msg.T("claims.part-whole", analysis.OutcomeText(x.Outcome), x.Finding.Statement, said, analysis.ShortDir(x.run.Dir)))
		}
		j.unmeasured(p)
		if len(j.parts) > 0 && j.outcome != analysis.Unmeasured {
			if name, f := j.parts[0].picture(dir); name != "" {
				p.Picture(name, msg.T("title", f.Title), msg.T("claims.picture"))
			}
		}
	}
	p.Gap()
	if !whole {
		next(p, all)
	}
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

// unmeasured lists the parts that can't be measured, all with one reason as one.
func (j judged) unmeasured(p *page.Page) {
	var reasons []string
	by := map[string][]part{}
	for _, x := range j.parts {
		if x.Outcome != analysis.Unmeasured {
			continue
		}
		if by[x.reason()] == nil {
			reasons = append(reasons, x.reason())
		}
		by[x.reason()] = append(by[x.reason()], x)
	}
	for _, r := range reasons {
		var said []msg.Message
		for _, x := range by[r] {
			said = append(said, msg.T("claims.quoted", x.Finding.Statement))
		}
		first := by[r][0]
		p.List(msg.T("claims.parts", analysis.OutcomeText(first.Outcome), msg.Join("join.sentences", said...), cured(first.Brief(), cure(j.Claim, by[r]...))))
	}
}

// next lists, for the claims without a verdict that other runs would give one, these runs,
// as far as the claim's line doesn't name them.
func next(p *page.Page, all []judged) {
	first := true
	for _, j := range all {
		runs, _ := j.deciding()
		if len(j.parts) == 0 && j.Further != "" {
			runs = append(runs, j.run())
		}
		if len(runs) == 0 {
			continue
		}
		if first {
			p.Text(msg.T("claims.next"))
			first = false
		}
		for _, r := range runs {
			p.List(msg.T("claims.next-run", j.Number, r))
		}
	}
	if !first {
		p.Gap()
	}
}

// picture is the plot of a run in a folder below dir that shows what a part is about,
// without its ending; "" is none.
func (p part) picture(dir string) (name string, f results.Figure) {
	if dir == "" || filepath.Dir(filepath.Clean(p.run.Dir)) != filepath.Clean(dir) {
		return "", f
	}
	for _, f := range p.run.Manifest.Figures {
		if !slices.Contains(f.Metrics, p.Finding.Metric) || filepath.Base(f.Name) != f.Name {
			continue
		}
		at := filepath.Join("plots", f.Name)
		if st, err := os.Lstat(filepath.Join(p.run.Dir, at+".png")); err == nil && st.Mode().IsRegular() {
			return filepath.ToSlash(filepath.Join(filepath.Base(p.run.Dir), at)), f
		}
	}
	return "", f
}

// WriteClaims writes claims.md, and report.html with the runs behind it, into the folder
// dir, as the user's.
func WriteClaims(claims []Claim, runs []*results.Run, dir string, uid, gid int) error {
	files := []plot.File{{Name: "claims.md", Data: claimsPage(claims, runs, true, dir).Markdown(msg.Reader())}}
	if len(runs) > 0 {
		var names []string
		for _, r := range runs {
			names = append(names, analysis.ShortDir(r.Dir))
		}
		whole, err := ClassHTML(runs, names, func(p *page.Page) { p.Append(Claims(claims, runs, true)) })
		if err != nil {
			return err
		}
		files = append(files, plot.File{Name: "report.html", Data: whole})
	}
	return writeFiles(dir, files, uid, gid, nil)
}
