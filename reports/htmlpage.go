package reports

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"lab/bench/results"
	"lab/bench/stats"
	"lab/reports/html"
)

// htmlReport is report.html.
func htmlReport(a *analysis) ([]byte, error) {
	return html.Render(&html.Page{Lang: "en", Runs: []*html.Run{a.htmlRun(a.run.Manifest.Scenario)}})
}

// HTML is one page for several runs, with a switch between them; names are what
// the switch calls them.
func HTML(runs []*results.Run, names []string, live bool) ([]byte, error) {
	p := &html.Page{Lang: "en", Live: live}
	for i, run := range runs {
		p.Runs = append(p.Runs, analyse(run).htmlRun(names[i]))
	}
	return html.Render(p)
}

func (a *analysis) htmlRun(name string) *html.Run {
	m := &a.run.Manifest
	r := &html.Run{Name: name, Scenario: m.Scenario, Question: m.Question, Answer: a.answer(), Banners: a.banners(),
		Notes:   append(notesOf(m), a.doubts()...),
		Machine: machineList(a.run.Machine),
		Files:   []string{"report.md", "trials.csv", "trials.jsonl", "summary.json", "methods.md", "machine.json", "manifest.json"}}
	for _, c := range a.cells {
		row := html.Row{Label: c.label, Color: hex(rowColor(c.hue)), Mark: c.hue, Emulated: c.tcg}
		if c.NotRun != nil {
			row.NotRun = notRun(c)
		}
		r.Rows = append(r.Rows, row)
	}
	taints := map[string]int{}
	for _, x := range a.metrics {
		r.Metrics = append(r.Metrics, a.htmlMetric(x, taints))
	}
	r.Taints = make([]string, len(taints))
	for t, i := range taints {
		r.Taints[i] = t
	}
	for _, x := range a.metrics {
		for i, c := range a.cells {
			if b := a.breakdown(c, x.Name); b != nil {
				p := html.Parts{Row: i, Of: x.Name, Whole: b.whole}
				for j, part := range b.parts {
					p.Parts = append(p.Parts, html.Part{Name: part.title, Value: part.median, Color: hex(paint(j))})
				}
				r.Parts = append(r.Parts, p)
			}
		}
	}
	for _, v := range a.verdicts {
		r.Verdicts = append(r.Verdicts, htmlVerdict(v))
	}
	r.Method = []html.Section{{Title: "What a trial does", Text: m.Method}}
	for _, c := range a.cells {
		if len(c.Start) > 0 {
			r.Method = append(r.Method, html.Section{Title: c.label + ": before the clock starts", Items: c.Prepare},
				html.Section{Title: c.label + ": what is timed", Items: c.Start})
		}
	}
	return r
}

func (a *analysis) htmlMetric(x results.Metric, taints map[string]int) html.Metric {
	out := html.Metric{Name: x.Name, Title: x.Title, Unit: x.Unit, Better: x.Better, Help: x.Help}
	for _, f := range a.run.Manifest.Figures {
		out.Log = out.Log || f.Log && slices.Contains(f.Metrics, x.Name)
	}
	for _, c := range a.cells {
		points := []html.Point{}
		for _, t := range c.trials {
			v, ok := t.values[x.Name]
			if !ok || t.failed() || t.again || math.IsNaN(v) || math.IsInf(v, 0) {
				continue
			}
			p := html.Point{N: t.number, V: v, W: t.warmup}
			for _, name := range t.taint {
				if _, ok := taints[name]; !ok {
					taints[name] = len(taints)
				}
				p.T = append(p.T, taints[name])
			}
			points = append(points, p)
		}
		out.Points = append(out.Points, points)
		var st *html.Statistic
		if s := c.samples[x.Name]; s != nil {
			st = &html.Statistic{Median: s.median.Point, Lo: s.median.Lo, Hi: s.median.Hi, N: s.median.N, Range: !s.median.Known()}
			if s.grouped() {
				for _, g := range s.groups {
					st.Groups = append(st.Groups, stats.Median(g))
				}
			}
		}
		out.Stats = append(out.Stats, st)
	}
	out.Table = a.htmlTable(x)
	return out
}

func (a *analysis) htmlTable(x results.Metric) html.Table {
	t := html.Table{Head: []string{"", "trials", "median", "interval", "compared with " + a.baseName(), "interval", "ratio", "interval"}}
	for _, r := range a.rows(x, nil) {
		cells := []string{r.label, r.trials, r.median, r.ends, r.added, r.addedE, r.ratio, r.ratioE}
		if r.notRun != "" {
			cells[2] = r.notRun
		} else if r.median == "" {
			cells[2] = r.why
		}
		t.Rows = append(t.Rows, cells)
	}
	return t
}

func htmlVerdict(v verdict) html.Verdict {
	kinds := map[string][2]string{holds: {"holds", "✓"}, fails: {"fails", "✗"}, undecided: {"undecided", "?"}, unmeasured: {"unmeasured", "–"}}
	k := kinds[v.outcome]
	out := html.Verdict{Kind: k[0], Mark: k[1], Outcome: capital(v.outcome), Statement: v.finding.Statement, Figure: v.said, Detail: v.sentence}
	if v.caveat != "" {
		out.Outcome += " (" + v.caveat + ")"
	}
	return out
}

// answer is the run in three sentences: what differs most in the headline metric,
// which is drawn below, what that means for
// what people say, and how far to trust it.
func (a *analysis) answer() []string {
	var out []string
	var most pair
	far := 0.0
	for _, p := range a.pairs {
		if p.metric != a.metrics[0].Name || p.to != p.row.base || p.row.tcg || p.to.tcg {
			continue
		}
		k := p.row.samples[p.metric].against
		if k == nil || !k.Differs() || k.Ratio == nil || k.Ratio.Point <= 0 {
			continue
		}
		if d := math.Abs(math.Log(k.Ratio.Point)); d > far {
			far, most = d, p
		}
	}
	if far > 0 {
		x, _ := a.metric(most.metric)
		c := most.row
		out = append(out, fmt.Sprintf("%s differs most from %s: its median of “%s” is %s, %s.", c.label, c.base.label, lower(x.Title),
			quantity(c.samples[x.Name].median.Point, x.Unit), against(c, c.samples[x.Name].against, x.Unit)))
	} else if len(a.metrics) > 0 && len(a.cells) > 1 {
		out = append(out, "No row was found to differ from "+a.baseName()+": see below what these trials could tell.")
	} else if len(a.metrics) > 0 {
		out = append(out, strings.ReplaceAll(a.sentences()[0], "**", ""))
	}
	counts := map[string]int{}
	for _, v := range a.verdicts {
		counts[v.outcome]++
	}
	var said []string
	for _, o := range []struct{ outcome, one, many string }{{holds, "holds", "hold"}, {fails, "doesn't", "don't"},
		{undecided, "is undecided", "are undecided"}, {unmeasured, "can't be measured here", "can't be measured here"}} {
		switch n := counts[o.outcome]; n {
		case 0:
		case 1:
			said = append(said, "1 "+o.one)
		default:
			said = append(said, fmt.Sprintf("%d %s", n, o.many))
		}
	}
	if len(said) > 0 {
		out = append(out, fmt.Sprintf("Of %s that people make, %s.", plural(len(a.verdicts), "statement"), strings.Join(said, ", ")))
	}
	disturbed, counted, failed := 0, 0, 0
	for _, c := range a.cells {
		disturbed, counted, failed = disturbed+c.disturbed(), counted+c.counted(), failed+c.failures()
	}
	trust := fmt.Sprintf("%s counted", plural(counted, "trial"))
	if failed > 0 {
		trust += fmt.Sprintf(", %d failed", failed)
	}
	switch {
	case counted == 0:
		return append(out, "Nothing was measured.")
	case disturbed == 0:
		trust += ", and nothing disturbed the machine meanwhile."
	default:
		trust += fmt.Sprintf("; %d of them were disturbed by something else on the machine.", disturbed)
	}
	return append(out, trust)
}

// machineList is what the run ran on, for people.
func machineList(k results.Machine) [][2]string {
	var out [][2]string
	add := func(name, text string) {
		if text != "" {
			out = append(out, [2]string{name, text})
		}
	}
	add("System", k.OS)
	add("Kernel", k.Kernel)
	add("Processor", fmt.Sprintf("%s, %s", k.CPU, plural(k.CPUs, "logical processor")))
	add("Memory", quantity(float64(k.Memory), "B"))
	add("Hypervisor below", k.Hypervisor)
	add("Cgroups", k.CgroupLayout)
	add("Guests run by", strings.ToUpper(k.Acceleration.Use))
	for _, name := range slices.Sorted(maps.Keys(k.Versions)) {
		add(name, k.Versions[name])
	}
	return out
}

func hex(c interface{ RGBA() (r, g, b, a uint32) }) string {
	r, g, b, _ := c.RGBA()
	return fmt.Sprintf("#%02x%02x%02x", r>>8, g>>8, b>>8)
}
