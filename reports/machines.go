package reports

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"slices"
	"strconv"
	"strings"

	"lab/bench/clean"
	"lab/bench/results"
	"lab/reports/analysis"
	"lab/reports/msg"
	"lab/reports/page"
	"lab/reports/plot"
)

// MachinesFiles makes the report across machines: machines.md, machines.csv, machines.html and plots.
func MachinesFiles(m *analysis.Machines, l *msg.Language) ([]plot.File, error) {
	plots, err := plot.Machines(m, l)
	if err != nil {
		return nil, err
	}
	table, err := machinesCSV(m)
	if err != nil {
		return nil, err
	}
	files := append([]plot.File{{Name: "machines.md", Data: machinesReport(m, plots).Markdown(l)}, {Name: "machines.csv", Data: table}}, plots...)
	if m.Many() { // a page with each of them would open in no browser
		return files, nil
	}
	var runs []*results.Run
	var names []string
	for _, k := range m.Machines {
		for _, a := range k.Runs {
			runs, names = append(runs, a.Run), append(names, analysis.ShortDir(a.Run.Dir))
		}
	}
	whole, err := ClassHTML(runs, names, func(p *page.Page) { machinesTrials(p, m) })
	if err != nil {
		return nil, err
	}
	return append(files, plot.File{Name: "machines.html", Data: whole}), nil
}

// Machines is the page for a terminal: the headline metric's groups.
func Machines(m *analysis.Machines) *page.Page {
	p := &page.Page{}
	if len(m.Metrics) == 0 {
		p.Banner(msg.T("nothing-measured"))
		return p
	}
	x := m.Metrics[0]
	p.Title(msg.T("machines.brief", msg.Name(m.Scenario), msg.T("machines", len(m.Machines)), x.Title))
	machinesMetric(p, m, x)
	p.Gap()
	classGuesses(p, m)
	p.Messages(append(append(machinesSentences(m, x), m.Notes...), msg.T("machines.how"))...)
	return p
}

// MachinesBrief is the page for a terminal where machines.md was written: a line for each
// group of the headline metric, and how many notes there are.
func MachinesBrief(m *analysis.Machines) *page.Page {
	p := &page.Page{}
	if len(m.Metrics) == 0 {
		p.Banner(msg.T("nothing-measured"))
		return p
	}
	x := m.Metrics[0]
	p.Title(msg.T("machines.brief", msg.Name(m.Scenario), msg.T("machines", len(m.Machines)), x.Title))
	span := msg.T("machines.head-span")
	t := page.Table{Align: "lrll", Head: []page.Text{msg.T("head.environment"), msg.T("head.machines"), page.Lines{msg.T("head.median"), span}, page.Lines{msg.T("head.by", m.BaseName()), span}}}
	for _, g := range m.Groups {
		if !g.Measured() {
			continue
		}
		n, middle := overMachines(g, analysis.MedianOf(x.Name), func(v float64) msg.Scale { return msg.ScaleFor(v, x.Unit) })
		var ratio page.Text
		if !g.TCG {
			_, ratio = overMachines(g, analysis.RatioOf(x.Name), func(float64) msg.Scale { return msg.Bare })
		}
		t.Rows = append(t.Rows, []page.Text{page.Wrapped{Text: g.Title(), Width: 22}, n, middle, ratio})
	}
	p.Table(t)
	classGuesses(p, m)
	if n := len(m.Notes); n > 0 {
		p.Messages(msg.T("machines.notes-in", n))
	}
	return p
}

// overMachines is a figure's middle among a group's machines, with the least and the
// largest behind it if there are several.
func overMachines(g *analysis.MachineGroup, f analysis.MachineFigure, scale func(middle float64) msg.Scale) (machines int, text page.Text) {
	if s, ok := g.Spread(f); ok {
		u := scale(s.Middle)
		return s.Machines, msg.T("in-brackets", u.With(s.Middle), u.Span(s.Least, s.Largest))
	}
	for _, e := range g.Entries {
		if iv, ok := f(e); ok {
			return 1, scale(iv.Point).With(iv.Point)
		}
	}
	return 0, nil
}

// machinesReport is machines.md: all metrics, and what the machines are.
func machinesReport(m *analysis.Machines, plots []plot.File) *page.Page {
	p := &page.Page{}
	p.Title(msg.T("machines.title", msg.Name(m.Scenario), msg.T("machines", len(m.Machines))))
	p.Text(m.Question)
	if len(m.Metrics) > 0 {
		p.Messages(machinesSentences(m, m.Metrics[0])...)
	}
	picture := func(name string, title, caption msg.Message) {
		if slices.ContainsFunc(plots, func(f plot.File) bool { return f.Name == "plots/"+name+".png" }) {
			p.Picture(name, title, caption)
		}
	}
	for _, x := range m.Metrics {
		picture("machines-"+x.Name, msg.T("machines.plot", x.Title), msg.T("machines.plot-how"))
		picture("machines-"+x.Name+"-ratio", msg.T("machines.ratio-plot", x.Title, m.BaseName()), msg.T("machines.ratio-plot-how", m.BaseName()))
	}
	classGuesses(p, m)
	machinesTrials(p, m)
	p.Section(msg.T("machines.list"))
	t := page.Table{Align: "lllllllllll", Head: []page.Text{msg.T("head.machine"), msg.T("machine.id"), msg.T("head.folders"), msg.T("machine.processor"),
		msg.T("machine.cpus"), msg.T("machine.memory"), msg.T("machine.kernel"), msg.T("machine.guest"), msg.T("machine.acceleration"), msg.T("machine.load"), "lab"}}
	for i, k := range m.Machines {
		if m.Many() && i == listed {
			break
		}
		f := k.Facts
		var dirs, labs []string
		for _, a := range k.Runs {
			dirs = append(dirs, analysis.ShortDir(a.Run.Dir))
			labs = append(labs, a.Run.Manifest.Lab)
		}
		t.Rows = append(t.Rows, []page.Text{k.Name, f.ID, strings.Join(dirs, ", "), f.CPU, f.CPUs, msg.Quantity(float64(f.Memory), "B"),
			f.Kernel, isGuest(f), f.Acceleration.Use, msg.Number(f.Load, 2), strings.Join(labs, ", ")})
	}
	p.Table(t)
	if m.Many() && len(m.Machines) > listed {
		p.Messages(msg.T("machines.some-list", listed, len(m.Machines)))
	}
	for _, x := range m.Metrics {
		p.Section(msg.T("title", x.Title))
		machinesMetric(p, m, x)
	}
	p.Section(msg.T("machines.notes"))
	p.Messages(append(m.Notes, msg.T("machines.how"))...)
	return p
}

// machinesTrials is a table of what each machine contributed: its trials, and the share
// that was disturbed, or why it has none. Of many machines it has the noisiest.
func machinesTrials(p *page.Page, m *analysis.Machines) {
	p.Section(msg.T("machines.trials"))
	t := page.Table{Align: "lrrl", Head: []page.Text{msg.T("head.machine"), msg.T("head.trials"), msg.T("head.disturbed"), msg.T("head.no-trials")}}
	share := func(k *analysis.Machine) float64 {
		n, disturbed := k.Trials()
		return float64(disturbed) / float64(max(n, 1))
	}
	machines, absent := m.Machines, m.Absent
	var cut []msg.Message
	if m.Many() && len(machines) > listed {
		machines = slices.Clone(machines)
		slices.SortStableFunc(machines, func(a, b *analysis.Machine) int { return cmp.Compare(share(b), share(a)) })
		cut = append(cut, msg.T("machines.some-trials", listed, msg.T("machines", len(machines))))
		machines = machines[:listed]
	}
	if len(absent) > analysis.Many {
		cut = append(cut, msg.T("machines.some-absent", listed, msg.T("machines", len(absent))))
		absent = absent[:listed]
	}
	for _, k := range machines {
		n, disturbed := k.Trials()
		var of page.Text = disturbed
		if disturbed > 0 {
			of = msg.T("in-brackets", disturbed, msg.Percent(share(k)))
		}
		t.Rows = append(t.Rows, []page.Text{k.Name, n, of, nil})
	}
	for _, x := range absent {
		t.Rows = append(t.Rows, []page.Text{x.Name, msg.T("cell.none"), nil, x.Reason})
	}
	if len(absent) == 0 {
		t = t.Without(3)
	}
	p.Table(t)
	p.Messages(cut...)
}

// machinesMetric is a table for each group in which a metric was measured.
func machinesMetric(p *page.Page, m *analysis.Machines, x results.Metric) {
	by := msg.T("head.by", m.BaseName())
	for _, g := range m.Groups {
		if !g.Measured() {
			continue
		}
		p.Gap()
		p.Subsection(g.Title())
		u, added := groupScales(g, x)
		median := u.Head(msg.T("head.median"))
		wide := page.Table{Align: "llrrrrr", Head: []page.Text{msg.T("head.machine"), msg.T("head.folder"), msg.T("head.trials"), median,
			msg.T("head.interval", "95 %"), added.Head(msg.T("head.added", m.BaseName())), by}}
		narrow := page.Table{Head: []page.Text{msg.T("head.machine"), msg.T("head.trials"), page.Lines{msg.T("head.median-and", median), msg.T("head.interval", "95 %")}, by}}
		for _, r := range machineRows(g, x, u, added) {
			trials, ratio := r.trials, r.ratio
			if !r.disturbed.IsZero() {
				trials = msg.T("in-brackets", trials, r.disturbed)
			}
			if !r.ratioEnds.IsZero() {
				ratio = msg.T("in-brackets", ratio, r.ratioEnds)
			}
			wide.Rows = append(wide.Rows, []page.Text{r.machine, r.folder, trials, r.median, r.ends, r.added, ratio})
			narrow.Rows = append(narrow.Rows, []page.Text{page.Wrapped{Text: r.machine, Width: 20}, page.Lines{r.trials, r.disturbed}, page.Lines{r.median, r.ends}, page.Lines{r.ratio, r.ratioEnds}})
		}
		p.Table(wide, narrow)
		if n := len(g.Entries); n > analysis.Many {
			p.Messages(msg.T("machines.some", shownEnds, shownMiddle, shownEnds, n))
		}
	}
}

// Of many machines: how many are listed, and how many of a group are shown at either end
// and in the middle.
const (
	listed      = 20
	shownEnds   = 3
	shownMiddle = 3
)

// shownOf are a group's entries that a table has: all, or if they are many those at the
// ends and in the middle of what was measured.
func shownOf(g *analysis.MachineGroup, x results.Metric) []analysis.MachineEntry {
	if len(g.Entries) <= analysis.Many {
		return g.Entries
	}
	s := g.Sorted(analysis.MedianOf(x.Name))
	if len(s) <= 2*shownEnds+shownMiddle {
		return s
	}
	from := len(s)/2 - shownMiddle/2
	return slices.Concat(s[:shownEnds], s[from:from+shownMiddle], s[len(s)-shownEnds:])
}

// groupScales are the units of a group's medians, and of their differences to the baseline.
func groupScales(g *analysis.MachineGroup, x results.Metric) (medians, added msg.Scale) {
	var all, differences []float64
	for _, e := range shownOf(g, x) {
		if s := e.Cell.Samples[x.Name]; s != nil && e.Cell.NotRun == nil {
			all = append(all, s.Median.Point)
			if s.Against != nil {
				differences = append(differences, widest(s.Against.Difference))
			}
		}
	}
	return scaleOf(all, x), scaleOf(differences, x)
}

// A machineRow is a line of a group's table.
type machineRow struct {
	machine, median                           page.Text
	folder, added                             string
	trials, disturbed, ends, ratio, ratioEnds msg.Message
}

// machineRows are a group's lines of one metric; the last is their spread: the middle one,
// and the least and the largest. u and added are [groupScales].
func machineRows(g *analysis.MachineGroup, x results.Metric, u, added msg.Scale) (out []machineRow) {
	for _, e := range shownOf(g, x) {
		r := machineRow{machine: e.Machine.Name, folder: analysis.ShortDir(e.Run.Run.Dir), trials: msg.Message{Args: []any{e.Cell.Counted()}}}
		switch s := e.Cell.Samples[x.Name]; {
		case e.Cell.NotRun != nil:
			r.trials, r.median = msg.T("cell.not-run"), e.Cell.NotRun.Reason
		case s == nil:
			r.median = msg.T("cell.no-values")
		default:
			if n := e.Cell.Disturbed(); n > 0 {
				r.disturbed = msg.T("cell.disturbed", n)
			}
			r.median, r.ends = analysis.MiddleIn(x, s, u), analysis.SpanOf(s.Median, u)
			if k := s.Against; k != nil && !g.TCG {
				r.added = added.SignedIn(k.Difference.Point)
				if k.Ratio != nil {
					r.ratio, r.ratioEnds = msg.Verbatim(msg.Times(k.Ratio.Point)), analysis.SpanOf(*k.Ratio, msg.Bare)
				}
			}
		}
		out = append(out, r)
	}
	s, ok := g.Spread(analysis.MedianOf(x.Name))
	if !ok {
		return out
	}
	r := machineRow{machine: msg.T("machines.middle", msg.T("machines", s.Machines)), median: u.In(s.Middle), ends: msg.T("machines.ends", u.Span(s.Least, s.Largest))}
	if d, ok := g.Spread(analysis.DifferenceOf(x.Name)); ok && !g.TCG {
		r.added = added.SignedIn(d.Middle)
	}
	if q, ok := g.Spread(analysis.RatioOf(x.Name)); ok && !g.TCG {
		r.ratio, r.ratioEnds = msg.Verbatim(msg.Times(q.Middle)), msg.T("machines.ends", msg.Bare.Span(q.Least, q.Largest))
	}
	return append(out, r)
}

// machinesSentences say what the machines have in common, group by group.
func machinesSentences(m *analysis.Machines, x results.Metric) []msg.Message {
	var out []msg.Message
	for _, g := range m.Groups {
		s, ok := g.Spread(analysis.MedianOf(x.Name))
		if !ok {
			continue
		}
		u := msg.ScaleFor(s.Middle, x.Unit)
		text := msg.T("machines.from-to", g.Title(), x.Title, u.With(s.Least), s.LeastMachine, u.With(s.Largest), s.LargestMachine)
		if s.Least > 0 {
			text = msg.T("machines.factor", text, msg.Number(s.Largest/s.Least, 3))
		}
		middle := msg.T("machines.middle-is", msg.T("machines", s.Machines), u.With(s.Middle))
		if s.Interval.Known() {
			middle = msg.T("in-brackets", middle, msg.T("ends", "95 %", u.Join(u.Span(s.Interval.Lo, s.Interval.Hi))))
		}
		text = msg.T("sentence", msg.T("join.semicolon", text, middle))
		if q, ok := g.Spread(analysis.RatioOf(x.Name)); ok && !g.TCG {
			text = msg.T("join.sentences", text, msg.T("machines.by", m.BaseName(), msg.Times(q.Least), msg.Times(q.Largest)))
		}
		out = append(out, text)
	}
	return out
}

// machinesCSV has one line a run, row and metric, in base units; what there isn't is
// empty.
func machinesCSV(m *analysis.Machines) ([]byte, error) {
	var b bytes.Buffer
	out := csv.NewWriter(&b)
	out.Write([]string{"scenario", "machine", "machine_id", "run", "folder", "lab", "image", "kernel", "cpu", "cpus", "memory", "virtual",
		"cell", "env", "emulated", "metric", "unit", "better", "n", "disturbed", "median", "lo", "hi", "method",
		"difference", "difference_lo", "difference_hi", "ratio", "ratio_lo", "ratio_hi", "not_run"})
	say := msg.English().Text
	three := func(f analysis.MachineFigure, e analysis.MachineEntry) []string {
		iv, ok := f(e)
		return ends(iv, ok && !e.Cell.TCG)
	}
	for _, g := range m.Groups {
		for _, e := range g.Entries {
			k, x := e.Machine.Facts, e.Run.Run.Manifest
			head := []string{m.Scenario, say(e.Machine.Name), k.ID, x.ID, analysis.ShortDir(e.Run.Run.Dir), x.Lab, x.Image.Digest, k.Kernel, k.CPU, strconv.Itoa(k.CPUs),
				strconv.FormatInt(k.Memory, 10), strconv.FormatBool(k.Virtual), e.Cell.Cell.Label(), e.Cell.Env, strconv.FormatBool(e.Cell.TCG)}
			if e.Cell.NotRun != nil {
				out.Write(clean.Fields(append(append(head, make([]string, 15)...), e.Cell.NotRun.Reason)))
				continue
			}
			for _, y := range m.Metrics {
				s := e.Cell.Samples[y.Name]
				if s == nil {
					continue
				}
				row := append(append([]string(nil), head...), y.Name, y.Unit, y.Better, strconv.Itoa(s.Median.N), strconv.Itoa(e.Cell.Disturbed()),
					exact(s.Median.Point), exact(s.Median.Lo), exact(s.Median.Hi), s.Median.Method)
				row = append(append(row, three(analysis.DifferenceOf(y.Name), e)...), three(analysis.RatioOf(y.Name), e)...)
				out.Write(clean.Fields(append(row, "")))
			}
		}
	}
	out.Flush()
	return b.Bytes(), out.Error()
}
