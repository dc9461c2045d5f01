package reports

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"

	"lab/bench/clean"
	"lab/bench/results"
	"lab/reports/analysis"
	"lab/reports/msg"
	"lab/reports/plot"
)

// MachinesFiles makes the report across machines: machines.md, machines.csv and plots.
func MachinesFiles(m *analysis.Machines) ([]plot.File, error) {
	plots, err := plot.MachinePlots(m)
	if err != nil {
		return nil, err
	}
	table, err := machinesCSV(m)
	if err != nil {
		return nil, err
	}
	return append([]plot.File{{Name: "machines.md", Data: machinesMarkdown(m, plots)}, {Name: "machines.csv", Data: table}}, plots...), nil
}

// WriteMachines writes the files, and SHA256SUMS over them, into the folder dir. They
// belong to uid and gid.
func WriteMachines(m *analysis.Machines, dir string, uid, gid int) error {
	files, err := MachinesFiles(m)
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return writeFiles(dir, files, uid, gid)
}

// machineRows are a group's lines of one metric: machine, folder, trials,
// median, interval, added to host, ratio to host; the last is their spread.
func machineRows(g *analysis.MachineGroup, x results.Metric) [][]string {
	var out [][]string
	for _, e := range g.Entries {
		r := []string{e.Machine.Name, analysis.ShortDir(e.Run.Run.Dir), strconv.Itoa(e.Cell.Counted()), "", "", "", ""}
		switch s := e.Cell.Samples[x.Name]; {
		case e.Cell.NotRun != nil:
			r[2], r[3] = "not run", e.Cell.NotRun.Reason
		case s == nil:
			r[3] = "no values"
		default:
			if n := e.Cell.Disturbed(); n > 0 {
				r[2] += fmt.Sprintf(" (%d disturbed)", n)
			}
			u := msg.ScaleFor(s.Median.Point, x.Unit)
			r[3], r[4] = u.With(s.Median.Point), analysis.SpanOf(s.Median, u)
			if k := s.Against; k != nil && !g.TCG {
				u := addedScale(k.Difference.Point, s.Median.Point, x.Unit)
				r[5] = u.Join(u.Signed(k.Difference.Point))
				if k.Ratio != nil {
					r[6] = msg.Times(k.Ratio.Point) + " (" + analysis.SpanOf(*k.Ratio, msg.Bare) + ")"
				}
			}
		}
		out = append(out, r)
	}
	s, ok := g.Spread(analysis.MedianOf(x.Name))
	if !ok {
		return out
	}
	u := msg.ScaleFor(s.Middle, x.Unit)
	r := []string{"middle of " + msg.Plural(s.Machines, "machine"), "", "", u.With(s.Middle), u.Join(u.Span(s.Least, s.Largest)), "", ""}
	if d, ok := g.Spread(analysis.DifferenceOf(x.Name)); ok && !g.TCG {
		u := addedScale(d.Middle, s.Middle, x.Unit)
		r[5] = u.Join(u.Signed(d.Middle))
	}
	if q, ok := g.Spread(analysis.RatioOf(x.Name)); ok && !g.TCG {
		r[6] = msg.Times(q.Middle) + " (" + msg.Bare.Span(q.Least, q.Largest) + ")"
	}
	return append(out, r)
}

// machinesSentences say what the machines have in common, group by group.
func machinesSentences(m *analysis.Machines, x results.Metric) []string {
	var out []string
	for _, g := range m.Groups {
		s, ok := g.Spread(analysis.MedianOf(x.Name))
		if !ok {
			continue
		}
		u := msg.ScaleFor(s.Middle, x.Unit)
		text := fmt.Sprintf("%s: %s from %s (%s) to %s (%s)", g.Title(), msg.Lower(x.Title), u.With(s.Least), s.LeastMachine, u.With(s.Largest), s.LargestMachine)
		if s.Least > 0 {
			text += fmt.Sprintf(", a factor of %s", msg.Number(s.Largest/s.Least, 3))
		}
		text += fmt.Sprintf("; the middle of %s is %s", msg.Plural(s.Machines, "machine"), u.With(s.Middle))
		if s.Interval.Known() {
			text += fmt.Sprintf(" (95 %% interval %s)", u.Join(u.Span(s.Interval.Lo, s.Interval.Hi)))
		}
		if q, ok := g.Spread(analysis.RatioOf(x.Name)); ok && !g.TCG {
			text += fmt.Sprintf(". By %s on the same machine: %s to %s", m.BaseName(), msg.Times(q.Least), msg.Times(q.Largest))
		}
		out = append(out, text+".")
	}
	return out
}

var (
	spreadSentence = "A machine's interval is of its own trials. The last line of a group is the middle machine, and from the least to the largest " +
		"machine; with six machines or more the middle one's 95 % interval is said above. No trials of two runs are put together."
)

// machinesHead are the columns of a group's table.
func machinesHead(m *analysis.Machines) []string {
	return []string{"machine", "folder", "trials", "median", "95 % interval", "added to " + m.BaseName(), "× " + m.BaseName()}
}

// MachinesTerminal writes the headline metric's groups as tables for people.
func MachinesTerminal(m *analysis.Machines, w io.Writer, o Options) error {
	t := &terminal{o: o}
	if t.o.Width <= 0 {
		t.o.Width = 100
	}
	if len(m.Metrics) == 0 {
		t.paragraph(yellow, "", "! ", "Nothing was measured on any machine.")
		_, err := w.Write(t.b.Bytes())
		return err
	}
	x := m.Metrics[0]
	t.paragraph(bold, "", "", fmt.Sprintf("%s, %s: %s", m.Scenario, msg.Plural(len(m.Machines), "machine"), msg.Lower(x.Title)))
	for _, g := range m.Groups {
		if !g.Measured() {
			continue
		}
		t.b.WriteByte('\n')
		t.paragraph(bold, "", "", g.Title())
		rows := machineRows(g, x)
		out, err := render(machinesHead(m), rows)
		if err == nil && width(out) > t.o.Width { // without the folders, and what host adds
			for i, r := range rows {
				rows[i] = []string{r[0], r[2], r[3] + "\n" + r[4], r[6]}
			}
			out, err = render([]string{"machine", "trials", "median,\n95 % interval", "× " + m.BaseName()}, rows)
		}
		if err != nil {
			return fmt.Errorf("write table: %w", err)
		}
		t.b.WriteString(out)
	}
	t.b.WriteByte('\n')
	for _, s := range append(machinesSentences(m, x), append(m.Notes, spreadSentence)...) {
		t.paragraph("", "", "- ", s)
	}
	_, err := w.Write(t.b.Bytes())
	return err
}

func machinesMarkdown(m *analysis.Machines, plots []plot.File) []byte {
	var b bytes.Buffer
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n\n", args...) }
	list := func(items []string) {
		for _, s := range items {
			fmt.Fprintf(&b, "- %s\n", escape(s))
		}
		b.WriteByte('\n')
	}
	table := func(head []string, rows [][]string) {
		fmt.Fprintf(&b, "| %s |\n|%s\n", strings.Join(head, " | "), strings.Repeat(":---|", len(head)))
		for _, r := range rows {
			cells := make([]string, len(r))
			for i := range r {
				cells[i] = escape(r[i])
			}
			fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
		}
		b.WriteByte('\n')
	}
	say("# %s on %s", escape(m.Scenario), msg.Plural(len(m.Machines), "machine"))
	say("%s", escape(m.Question))
	if len(m.Metrics) > 0 {
		list(machinesSentences(m, m.Metrics[0]))
	}
	for _, f := range plots {
		if strings.HasSuffix(f.Name, ".png") {
			say("![%s](%s)", escape(analysis.ShortDir(f.Name)), f.Name)
		}
	}
	say("## Machines")
	var rows [][]string
	for _, k := range m.Machines {
		f := k.Facts
		where := "bare metal"
		if f.Virtual {
			where = strings.TrimSpace("virtual " + f.Hypervisor)
		}
		if f.Emulated {
			where += ", emulated"
		}
		var dirs, labs []string
		for _, a := range k.Runs {
			dirs = append(dirs, analysis.ShortDir(a.Run.Dir))
			labs = append(labs, a.Run.Manifest.Lab)
		}
		rows = append(rows, []string{k.Name, f.ID, strings.Join(dirs, ", "), f.CPU, strconv.Itoa(f.CPUs), msg.Quantity(float64(f.Memory), "B"),
			f.Kernel, where, f.Acceleration.Use, msg.Number(f.Load, 2), strings.Join(labs, ", ")})
	}
	table([]string{"machine", "id (salted)", "folders", "CPU", "CPUs", "memory", "kernel", "is", "VMs run by", "load", "lab"}, rows)
	for _, x := range m.Metrics {
		say("## %s", escape(msg.Capital(x.Title)))
		for _, g := range m.Groups {
			if !g.Measured() {
				continue
			}
			say("### %s", escape(g.Title()))
			table(machinesHead(m), machineRows(g, x))
		}
	}
	say("## What must be known")
	list(append(m.Notes, spreadSentence))
	return b.Bytes()
}

// machinesCSV has one line a run, row and metric, in base units; what there isn't is
// empty.
func machinesCSV(m *analysis.Machines) ([]byte, error) {
	var b bytes.Buffer
	out := csv.NewWriter(&b)
	out.Write([]string{"scenario", "machine", "machine_id", "run", "folder", "lab", "image", "kernel", "cpu", "cpus", "memory", "virtual",
		"cell", "env", "emulated", "metric", "unit", "better", "n", "disturbed", "median", "lo", "hi", "method",
		"difference", "difference_lo", "difference_hi", "ratio", "ratio_lo", "ratio_hi", "not_run"})
	num := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	three := func(f analysis.MachineFigure, e analysis.MachineEntry) []string {
		iv, ok := f(e)
		if !ok || e.Cell.TCG {
			return []string{"", "", ""}
		}
		return []string{num(iv.Point), num(iv.Lo), num(iv.Hi)}
	}
	for _, g := range m.Groups {
		for _, e := range g.Entries {
			k, x := e.Machine.Facts, e.Run.Run.Manifest
			head := []string{m.Scenario, e.Machine.Name, k.ID, x.ID, analysis.ShortDir(e.Run.Run.Dir), x.Lab, x.Image.Digest, k.Kernel, k.CPU, strconv.Itoa(k.CPUs),
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
					num(s.Median.Point), num(s.Median.Lo), num(s.Median.Hi), s.Median.Method)
				row = append(append(row, three(analysis.DifferenceOf(y.Name), e)...), three(analysis.RatioOf(y.Name), e)...)
				out.Write(clean.Fields(append(row, "")))
			}
		}
	}
	out.Flush()
	return b.Bytes(), out.Error()
}
