package reports

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"lab/bench/clean"
	"lab/bench/results"
	"lab/bench/stats"
	"lab/reports/analysis"
	"lab/reports/msg"
)

// ArtifactFile is what a paper's reviewers read: what is needed, how long it
// takes, what is to be expected and how closely, how to check, how to repeat.
const ArtifactFile = "ARTIFACT.md"

// artifact makes it from the folder alone: every time in it was measured in
// this run.
func artifact(a *analysis.Analysis) []byte {
	d := &document{a: a}
	m := a.Run.Manifest
	d.line("# Artifact: %s", escape(m.Scenario))
	d.line("%s", escape(m.Question))
	d.line("This folder holds run %s, made by lab %s. Everything in it follows from three files: `manifest.json` (what was asked), `machine.json` (on what) "+
		"and `trials.jsonl` (every value), and from `samples/` where a trial gave a distribution.", escape(m.ID), escape(m.Lab))
	for _, b := range a.Banners() {
		d.line("> **%s**", escape(b))
	}
	d.needed()
	d.minutes()
	d.expected()
	d.checking()
	d.repeating()
	return d.b.Bytes()
}

// needed says what it takes, and what it was made with.
func (d *document) needed() {
	k := d.a.Run.Machine
	d.line("## What is needed")
	items := []string{"To read, check and draw again: the program `lab`, any Linux machine, no root."}
	var envs []string
	guests, accelerated := false, false
	for _, c := range d.a.Cells {
		if c.NotRun == nil && !slices.Contains(envs, c.Env) {
			envs = append(envs, c.Env)
		}
		if accel := c.Settings["accel"]; c.NotRun == nil && accel != "" { // a virtual machine
			guests = true
			accelerated = accelerated || !c.TCG
		}
	}
	if envs != nil {
		items = append(items, fmt.Sprintf("To repeat: Linux, root, and what the environments %s need; `lab list` names it, and `lab doctor` says what a machine lacks, with the cure.",
			escape(strings.Join(envs, ", "))))
	}
	switch {
	case accelerated:
		items = append(items, "Its virtual machines ran under KVM: a machine whose KVM can't be used emulates them, and those figures are not comparable.")
	case guests:
		items = append(items, "Its virtual machines were emulated (TCG): no KVM is needed, and under KVM (the default where it can be used) figures are not comparable; --accel tcg emulates them anywhere.")
	}
	if k.Kernel != "" {
		items = append(items, "It was made on: "+escape(machineSentence(k)))
	}
	d.items(items)
}

// minutes says how long each figure's trials took, and the whole.
func (d *document) minutes() {
	m := d.a.Run.Manifest
	spent := d.a.Run.Spent()
	d.line("## How long it takes")
	d.b.WriteString("| figure | rows | trials, warm-ups included | time |\n|:---|:---|---:|---:|\n")
	for _, f := range m.Figures {
		var labels []string
		trials, seconds := 0, 0.0
		for _, c := range d.a.Cells {
			if !d.shownIn(c, f) {
				continue
			}
			s := spent[c.Cell.Label()]
			labels = append(labels, c.Cell.Label())
			trials += len(c.Made)
			if len(s) > 0 { // the last trial's end isn't known: it took what the others did
				seconds += stats.Median(s) * float64(len(c.Made)-len(s))
			}
			for _, v := range s {
				seconds += v
			}
		}
		if trials == 0 {
			continue
		}
		took := "not known"
		if seconds > 0 {
			took = minutesOf(seconds)
		}
		fmt.Fprintf(&d.b, "| %s (`plots/%s`) | %s | %d | %s |\n", escape(f.Title), escape(f.Name), escape(strings.Join(labels, ", ")), trials, took)
	}
	d.b.WriteByte('\n')
	text := "Measured in this run, from a trial's beginning to the next one's. One trial may serve several figures: the times don't add up."
	if !m.Started.IsZero() && m.Ended.After(m.Started) {
		text += fmt.Sprintf(" All of it, with set-up and warm-ups, took %s", minutesOf(m.Ended.Sub(m.Started).Seconds()))
		if analysis.WasResumed(&m) {
			text += ", the pause before it was resumed included"
		}
		text += "."
	}
	d.line("%s", text)
}

// shownIn reports whether a cell has trials that a figure shows.
func (d *document) shownIn(c *analysis.Cell, f results.Figure) bool {
	return slices.ContainsFunc(f.Metrics, func(name string) bool { return c.Samples[name] != nil })
}

// minutesOf writes a time as people plan with it.
func minutesOf(s float64) string {
	if s >= 90 {
		return msg.Number(s/60, 2) + " min"
	}
	return msg.Quantity(s, "s")
}

// expected says what a repetition should give, and how closely.
func (d *document) expected() {
	a := d.a
	d.line("## What is to be expected")
	if len(a.Verdicts) > 0 {
		d.line("On a machine of the same kind, the statements should come to the same outcome; each one's threshold was written down before the first trial:")
		var items []string
		for _, v := range a.Verdicts {
			items = append(items, fmt.Sprintf("“%s” (%s): **%s**%s", escape(v.Finding.Statement), escape(v.Cell), v.Outcome, analysis.Beside(v.Caveat)))
		}
		d.items(items)
	}
	if len(a.Metrics) > 0 {
		d.line("On the same machine, a median that another run finds to be different by more than %s (`lab reproduce` says so) is a reproduction that failed. On another "+
			"machine the times are that machine's: what should agree are the statements above.", msg.Percent(analysis.Tolerance))
		d.b.WriteString("| row | metric | trials | median | 95 % interval | tolerated on this machine |\n|:---|:---|---:|---:|---:|---:|\n")
		for _, c := range a.Cells {
			for _, m := range a.Metrics {
				s := c.Samples[m.Name]
				if s == nil {
					continue
				}
				u := msg.ScaleFor(s.Median.Point, m.Unit)
				fmt.Fprintf(&d.b, "| %s | %s | %d | %s | %s | %s |\n", escape(c.Name), escape(m.Name), len(s.Values), u.With(s.Median.Point),
					analysis.SpanOf(s.Median, u), u.Join(u.Span(s.Median.Point*(1-analysis.Tolerance), s.Median.Point*(1+analysis.Tolerance))))
			}
		}
		d.b.WriteByte('\n')
	}
	var items []string
	for _, c := range a.Cells {
		if c.NotRun != nil {
			items = append(items, fmt.Sprintf("%s was %s", escape(c.Name), escape(analysis.NotRun(c))))
		}
	}
	for _, s := range a.Doubts() {
		items = append(items, escape(s))
	}
	d.items(items)
}

func (d *document) checking() {
	d.line("## How to check it")
	d.line("```\nlab check DIR                 # whole, and as it was written (also: sha256sum -c SHA256SUMS)\n" +
		"cp DIR/SHA256SUMS before\n" +
		"lab report DIR                # computes and draws all again from what was measured\n" +
		"cmp before DIR/SHA256SUMS     # the same lab gives the same bytes\n```")
	d.line("`trials.csv` is for `pandas.read_csv` and R's `read.csv`, `bench.txt` for `benchstat`; `methods.md` says in prose what was done, and `report.md` what came of it.")
}

func (d *document) repeating() {
	m := d.a.Run.Manifest
	d.line("## How to repeat it")
	var lines []string
	if m.Asked != nil {
		lines = append(lines, "sudo lab reproduce DIR        # repeat it, with a verdict for each statement")
	}
	if len(m.Command) > 0 {
		lines = append(lines, "sudo lab "+clean.Code(d.command()))
	}
	if lines != nil {
		d.line("```\n%s\n```", strings.Join(lines, "\n"))
	}
	if m.Experiment != nil {
		d.line("`%s` is the experiment file that asked for the run (%s, %s).", results.ExperimentFile, escape(m.Experiment.Name), escape(m.Experiment.Digest))
	}
	var b bytes.Buffer
	for _, x := range []struct {
		what string
		d    results.Digested
	}{{"image", m.Image}, {"workload", m.Workload}, {"guest kernel", m.Kernel}} {
		if x.d != (results.Digested{}) {
			fmt.Fprintf(&b, "- %s: %s, %s\n", x.what, escape(x.d.Name), escape(x.d.Digest))
		}
	}
	if b.Len() > 0 {
		d.line("The bytes that ran, which must be the same again for figures to be comparable (`lab image save DIR` saves them with the results, where `lab reproduce` finds them):")
		d.line("%s", strings.TrimSpace(b.String()))
	}
}
