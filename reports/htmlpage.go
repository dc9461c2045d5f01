package reports

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"lab/bench/results"
	"lab/bench/stats"
	"lab/reports/analysis"
	"lab/reports/html"
	"lab/reports/msg"
	"lab/reports/plot"
)

// htmlReport is report.html.
func htmlReport(a *analysis.Analysis) ([]byte, error) {
	return html.Render(&html.Page{Lang: "en", Runs: []*html.Run{htmlRun(a, a.Run.Manifest.Scenario)}})
}

// HTML is one page for several runs, with a switch between them; names are what
// the switch calls them.
func HTML(runs []*results.Run, names []string, live bool) ([]byte, error) {
	p := &html.Page{Lang: "en", Live: live}
	for i, run := range runs {
		p.Runs = append(p.Runs, htmlRun(analysis.Of(run), names[i]))
	}
	return html.Render(p)
}

func htmlRun(a *analysis.Analysis, name string) *html.Run {
	m := &a.Run.Manifest
	r := &html.Run{Name: name, Scenario: m.Scenario, Question: m.Question, Answer: answer(a), Banners: a.Banners(),
		Notes:   append(analysis.NotesOf(m), a.Doubts()...),
		Machine: machineList(a.Run.Machine),
		Files:   []string{"report.md", "trials.csv", "trials.jsonl", "summary.json", "methods.md", "machine.json", "manifest.json"}}
	for _, c := range a.Cells {
		row := html.Row{Label: c.Name, Color: hex(plot.RowColor(c.Hue)), Mark: c.Hue, Emulated: c.TCG}
		if c.NotRun != nil {
			row.NotRun = analysis.NotRun(c)
		}
		r.Rows = append(r.Rows, row)
	}
	taints := map[string]int{}
	for _, x := range a.Metrics {
		r.Metrics = append(r.Metrics, htmlMetric(a, x, taints))
	}
	r.Taints = make([]string, len(taints))
	for t, i := range taints {
		r.Taints[i] = t
	}
	for _, x := range a.Metrics {
		for i, c := range a.Cells {
			if b := a.Breakdown(c, x.Name); b != nil {
				p := html.Parts{Row: i, Of: x.Name, Whole: b.Whole}
				for j, part := range b.Parts {
					p.Parts = append(p.Parts, html.Part{Name: part.Title, Value: part.Median, Color: hex(plot.Paint(j))})
				}
				r.Parts = append(r.Parts, p)
			}
		}
	}
	for _, v := range a.Verdicts {
		r.Verdicts = append(r.Verdicts, htmlVerdict(v))
	}
	r.Method = []html.Section{{Title: "What a trial does", Text: m.Method}}
	for _, c := range a.Cells {
		if len(c.Start) > 0 {
			r.Method = append(r.Method, html.Section{Title: c.Name + ": before the clock starts", Items: c.Prepare},
				html.Section{Title: c.Name + ": what is timed", Items: c.Start})
		}
	}
	return r
}

func htmlMetric(a *analysis.Analysis, x results.Metric, taints map[string]int) html.Metric {
	out := html.Metric{Name: x.Name, Title: x.Title, Unit: x.Unit, Better: x.Better, Help: x.Help}
	for _, f := range a.Run.Manifest.Figures {
		out.Log = out.Log || f.Log && slices.Contains(f.Metrics, x.Name)
	}
	for _, c := range a.Cells {
		points := []html.Point{}
		for _, t := range c.Made {
			v, ok := t.Values[x.Name]
			if !ok || t.Failed() || t.Repeated || math.IsNaN(v) || math.IsInf(v, 0) {
				continue
			}
			p := html.Point{N: t.Number, V: v, W: t.Warmup}
			for _, name := range t.Taint {
				if _, ok := taints[name]; !ok {
					taints[name] = len(taints)
				}
				p.T = append(p.T, taints[name])
			}
			points = append(points, p)
		}
		out.Points = append(out.Points, points)
		var st *html.Statistic
		if s := c.Samples[x.Name]; s != nil {
			st = &html.Statistic{Median: s.Median.Point, Lo: s.Median.Lo, Hi: s.Median.Hi, N: s.Median.N, Range: !s.Median.Known()}
			if s.Grouped() {
				for _, g := range s.Groups {
					st.Groups = append(st.Groups, stats.Median(g))
				}
			}
		}
		out.Stats = append(out.Stats, st)
	}
	out.Table = htmlTable(a, x)
	return out
}

func htmlTable(a *analysis.Analysis, x results.Metric) html.Table {
	t := html.Table{Head: []string{"", "trials", "median", "interval", "compared with " + a.BaseName(), "interval", "ratio", "interval"}}
	for _, r := range metricRows(a, x, nil) {
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

func htmlVerdict(v analysis.Verdict) html.Verdict {
	kinds := map[string][2]string{analysis.Holds: {"holds", "✓"}, analysis.Fails: {"fails", "✗"}, analysis.Undecided: {"undecided", "?"}, analysis.Unmeasured: {"unmeasured", "–"}}
	k := kinds[v.Outcome]
	out := html.Verdict{Kind: k[0], Mark: k[1], Outcome: msg.Capital(v.Outcome), Statement: v.Finding.Statement, Figure: v.Said, Detail: v.Sentence}
	if v.Caveat != "" {
		out.Outcome += " (" + v.Caveat + ")"
	}
	return out
}

// answer is the run in three sentences: what differs most, what that means for
// what people say, and how far to trust it.
func answer(a *analysis.Analysis) []string {
	var out []string
	var most analysis.Pair
	far := 0.0
	for _, p := range a.Pairs {
		if p.To != p.Row.Base || p.Row.TCG || p.To.TCG {
			continue
		}
		k := p.Row.Samples[p.Metric].Against
		if k == nil || !k.Differs() || k.Ratio == nil || k.Ratio.Point <= 0 {
			continue
		}
		if d := math.Abs(math.Log(k.Ratio.Point)); d > far {
			far, most = d, p
		}
	}
	if far > 0 {
		x, _ := a.Metric(most.Metric)
		c := most.Row
		out = append(out, fmt.Sprintf("%s differs most from %s: its median of “%s” is %s, %s.", c.Name, c.Base.Name, msg.Lower(x.Title),
			msg.Quantity(c.Samples[x.Name].Median.Point, x.Unit), against(c, c.Samples[x.Name].Against, x.Unit)))
	} else if len(a.Metrics) > 0 && len(a.Cells) > 1 {
		out = append(out, "No row was found to differ from "+a.BaseName()+": see below what these trials could tell.")
	} else if len(a.Metrics) > 0 {
		out = append(out, strings.ReplaceAll(sentences(a)[0], "**", ""))
	}
	counts := map[string]int{}
	for _, v := range a.Verdicts {
		counts[v.Outcome]++
	}
	var said []string
	for _, o := range []struct{ outcome, one, many string }{{analysis.Holds, "holds", "hold"}, {analysis.Fails, "doesn't", "don't"},
		{analysis.Undecided, "is undecided", "are undecided"}, {analysis.Unmeasured, "can't be measured here", "can't be measured here"}} {
		switch n := counts[o.outcome]; n {
		case 0:
		case 1:
			said = append(said, "1 "+o.one)
		default:
			said = append(said, fmt.Sprintf("%d %s", n, o.many))
		}
	}
	if len(said) > 0 {
		out = append(out, fmt.Sprintf("Of %s that people make, %s.", msg.Plural(len(a.Verdicts), "statement"), strings.Join(said, ", ")))
	}
	disturbed, counted, failed := 0, 0, 0
	for _, c := range a.Cells {
		disturbed, counted, failed = disturbed+c.Disturbed(), counted+c.Counted(), failed+c.Failures()
	}
	trust := fmt.Sprintf("%s counted", msg.Plural(counted, "trial"))
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
	add("Processor", fmt.Sprintf("%s, %s", k.CPU, msg.Plural(k.CPUs, "logical processor")))
	add("Memory", msg.Quantity(float64(k.Memory), "B"))
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
