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
)

// Files makes the report across machines: machines.md, machines.csv and plots.
func (m *Machines) Files() ([]File, error) {
	plots, err := m.plots()
	if err != nil {
		return nil, err
	}
	table, err := m.csv()
	if err != nil {
		return nil, err
	}
	return append([]File{{"machines.md", m.markdown(plots)}, {"machines.csv", table}}, plots...), nil
}

// Write writes the files, and SHA256SUMS over them, into the folder dir. They
// belong to uid and gid.
func (m *Machines) Write(dir string, uid, gid int) error {
	files, err := m.Files()
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return writeFiles(dir, files, uid, gid)
}

// machineRows are a group's lines of one metric: machine, folder, trials,
// median, interval, added to host, ratio to host; the last is their spread.
func (g *MachineGroup) machineRows(x results.Metric) [][]string {
	var out [][]string
	for _, e := range g.entries {
		r := []string{e.machine.Name, shortDir(e.run.run.Dir), strconv.Itoa(e.cell.counted()), "", "", "", ""}
		switch s := e.cell.samples[x.Name]; {
		case e.cell.NotRun != nil:
			r[2], r[3] = "not run", e.cell.NotRun.Reason
		case s == nil:
			r[3] = "no values"
		default:
			if n := e.cell.disturbed(); n > 0 {
				r[2] += fmt.Sprintf(" (%d disturbed)", n)
			}
			u := scaleFor(s.median.Point, x.Unit)
			r[3], r[4] = u.with(s.median.Point), spanOf(s.median, u)
			if k := s.against; k != nil && !g.TCG {
				u := addedScale(k.Difference.Point, s.median.Point, x.Unit)
				r[5] = u.join(u.signed(k.Difference.Point))
				if k.Ratio != nil {
					r[6] = times(k.Ratio.Point) + " (" + spanOf(*k.Ratio, bare) + ")"
				}
			}
		}
		out = append(out, r)
	}
	s, ok := g.spread(medianOf(x.Name))
	if !ok {
		return out
	}
	u := scaleFor(s.Middle, x.Unit)
	r := []string{"middle of " + plural(s.Machines, "machine"), "", "", u.with(s.Middle), u.join(u.span(s.Least, s.Largest)), "", ""}
	if d, ok := g.spread(differenceOf(x.Name)); ok && !g.TCG {
		u := addedScale(d.Middle, s.Middle, x.Unit)
		r[5] = u.join(u.signed(d.Middle))
	}
	if q, ok := g.spread(ratioOf(x.Name)); ok && !g.TCG {
		r[6] = times(q.Middle) + " (" + bare.span(q.Least, q.Largest) + ")"
	}
	return append(out, r)
}

// sentences say what the machines have in common, group by group.
func (m *Machines) sentences(x results.Metric) []string {
	var out []string
	for _, g := range m.Groups {
		s, ok := g.spread(medianOf(x.Name))
		if !ok {
			continue
		}
		u := scaleFor(s.Middle, x.Unit)
		text := fmt.Sprintf("%s: %s from %s (%s) to %s (%s)", g.Title(), lower(x.Title), u.with(s.Least), s.LeastMachine, u.with(s.Largest), s.LargestMachine)
		if s.Least > 0 {
			text += fmt.Sprintf(", a factor of %s", number(s.Largest/s.Least, 3))
		}
		text += fmt.Sprintf("; the middle of %s is %s", plural(s.Machines, "machine"), u.with(s.Middle))
		if s.Interval.Known() {
			text += fmt.Sprintf(" (95 %% interval %s)", u.join(u.span(s.Interval.Lo, s.Interval.Hi)))
		}
		if q, ok := g.spread(ratioOf(x.Name)); ok && !g.TCG {
			text += fmt.Sprintf(". By %s on the same machine: %s to %s", m.baseName(), times(q.Least), times(q.Largest))
		}
		out = append(out, text+".")
	}
	return out
}

var (
	spreadSentence = "A machine's interval is of its own trials. The last line of a group is the middle machine, and from the least to the largest " +
		"machine; with six machines or more the middle one's 95 % interval is said above. No trials of two runs are put together."
)

// head are the columns of a group's table.
func (m *Machines) head() []string {
	return []string{"machine", "folder", "trials", "median", "95 % interval", "added to " + m.baseName(), "× " + m.baseName()}
}

// Terminal writes the headline metric's groups as tables for people.
func (m *Machines) Terminal(w io.Writer, o Options) error {
	t := &terminal{o: o}
	if t.o.Width <= 0 {
		t.o.Width = 100
	}
	if len(m.metrics) == 0 {
		t.paragraph(yellow, "", "! ", "Nothing was measured on any machine.")
		_, err := w.Write(t.b.Bytes())
		return err
	}
	x := m.metrics[0]
	t.paragraph(bold, "", "", fmt.Sprintf("%s, %s: %s", m.Scenario, plural(len(m.Machines), "machine"), lower(x.Title)))
	for _, g := range m.Groups {
		if !g.measured() {
			continue
		}
		t.b.WriteByte('\n')
		t.paragraph(bold, "", "", g.Title())
		rows := g.machineRows(x)
		out, err := render(m.head(), rows)
		if err == nil && width(out) > t.o.Width { // without the folders, and what host adds
			for i, r := range rows {
				rows[i] = []string{r[0], r[2], r[3] + "\n" + r[4], r[6]}
			}
			out, err = render([]string{"machine", "trials", "median,\n95 % interval", "× " + m.baseName()}, rows)
		}
		if err != nil {
			return fmt.Errorf("write table: %w", err)
		}
		t.b.WriteString(out)
	}
	t.b.WriteByte('\n')
	for _, s := range append(m.sentences(x), append(m.Notes, spreadSentence)...) {
		t.paragraph("", "", "- ", s)
	}
	_, err := w.Write(t.b.Bytes())
	return err
}

func (m *Machines) markdown(plots []File) []byte {
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
	say("# %s on %s", escape(m.Scenario), plural(len(m.Machines), "machine"))
	say("%s", escape(m.Question))
	if len(m.metrics) > 0 {
		list(m.sentences(m.metrics[0]))
	}
	for _, f := range plots {
		if strings.HasSuffix(f.Name, ".png") {
			say("![%s](%s)", escape(shortDir(f.Name)), f.Name)
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
		for _, a := range k.runs {
			dirs = append(dirs, shortDir(a.run.Dir))
			labs = append(labs, a.run.Manifest.Lab)
		}
		rows = append(rows, []string{k.Name, f.ID, strings.Join(dirs, ", "), f.CPU, strconv.Itoa(f.CPUs), quantity(float64(f.Memory), "B"),
			f.Kernel, where, f.Acceleration.Use, number(f.Load, 2), strings.Join(labs, ", ")})
	}
	table([]string{"machine", "id (salted)", "folders", "CPU", "CPUs", "memory", "kernel", "is", "VMs run by", "load", "lab"}, rows)
	for _, x := range m.metrics {
		say("## %s", escape(capital(x.Title)))
		for _, g := range m.Groups {
			if !g.measured() {
				continue
			}
			say("### %s", escape(g.Title()))
			table(m.head(), g.machineRows(x))
		}
	}
	say("## What must be known")
	list(append(m.Notes, spreadSentence))
	return b.Bytes()
}

// csv has one line a run, row and metric, in base units; what there isn't is
// empty.
func (m *Machines) csv() ([]byte, error) {
	var b bytes.Buffer
	out := csv.NewWriter(&b)
	out.Write([]string{"scenario", "machine", "machine_id", "run", "folder", "lab", "image", "kernel", "cpu", "cpus", "memory", "virtual",
		"cell", "env", "emulated", "metric", "unit", "better", "n", "disturbed", "median", "lo", "hi", "method",
		"difference", "difference_lo", "difference_hi", "ratio", "ratio_lo", "ratio_hi", "not_run"})
	num := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	three := func(f machineFigure, e machineEntry) []string {
		iv, ok := f(e)
		if !ok || e.cell.tcg {
			return []string{"", "", ""}
		}
		return []string{num(iv.Point), num(iv.Lo), num(iv.Hi)}
	}
	for _, g := range m.Groups {
		for _, e := range g.entries {
			k, x := e.machine.Facts, e.run.run.Manifest
			head := []string{m.Scenario, e.machine.Name, k.ID, x.ID, shortDir(e.run.run.Dir), x.Lab, x.Image.Digest, k.Kernel, k.CPU, strconv.Itoa(k.CPUs),
				strconv.FormatInt(k.Memory, 10), strconv.FormatBool(k.Virtual), e.cell.Cell.Label(), e.cell.Env, strconv.FormatBool(e.cell.tcg)}
			if e.cell.NotRun != nil {
				out.Write(clean.Fields(append(append(head, make([]string, 15)...), e.cell.NotRun.Reason)))
				continue
			}
			for _, y := range m.metrics {
				s := e.cell.samples[y.Name]
				if s == nil {
					continue
				}
				row := append(append([]string(nil), head...), y.Name, y.Unit, y.Better, strconv.Itoa(s.median.N), strconv.Itoa(e.cell.disturbed()),
					num(s.median.Point), num(s.median.Lo), num(s.median.Hi), s.median.Method)
				row = append(append(row, three(differenceOf(y.Name), e)...), three(ratioOf(y.Name), e)...)
				out.Write(clean.Fields(append(row, "")))
			}
		}
	}
	out.Flush()
	return b.Bytes(), out.Error()
}
