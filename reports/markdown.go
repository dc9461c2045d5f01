package reports

import (
	"bytes"
	"fmt"
	"strings"

	"lab/bench/clean"
	"lab/bench/results"
)

// markdown is report.md: something that a teacher can hand out. It opens with
// what the run shows, and ends with how to repeat it.
func markdown(a *analysis) []byte {
	d := &document{a: a}
	m := a.run.Manifest
	d.line("# %s", escape(strings.TrimSuffix(m.Scenario+": "+m.Question, ": ")))
	for _, b := range a.banners() {
		d.line("> **%s**", escape(b))
	}
	d.opening()
	d.figures()
	for i, x := range a.metrics {
		d.table(i, x)
	}
	d.slopes()
	d.sessions()
	d.phases()
	d.verdicts()
	d.notRun()
	d.doubts()
	d.method()
	d.machine()
	d.repeat()
	return d.b.Bytes()
}

// A document is Markdown that grows.
type document struct {
	a *analysis
	b bytes.Buffer
}

// line writes a block, and an empty line after it.
func (d *document) line(format string, args ...any) {
	fmt.Fprintf(&d.b, format+"\n\n", args...)
}

// items writes a list.
func (d *document) items(items []string) {
	for _, s := range items {
		fmt.Fprintf(&d.b, "- %s\n", s)
	}
	if len(items) > 0 {
		d.b.WriteByte('\n')
	}
}

// escape keeps what comes from outside from being taken for Markdown.
func escape(s string) string { return clean.Markdown(s) }

func (d *document) opening() {
	d.line("## What this shows")
	d.line("All of it %s.", here)
	d.items(d.a.sentences())
	var judged []string
	for _, v := range d.a.verdicts {
		judged = append(judged, fmt.Sprintf("“%s” **%s**%s (%s).", escape(v.finding.Statement), capital(v.outcome), beside(v.caveat), escape(v.cell)))
	}
	if len(judged) > 0 {
		d.line("What people say, and what became of it:")
		d.items(judged)
	}
	var notes []string
	seen := map[string]bool{}
	for _, c := range d.a.cells {
		n := caveatOf(d.a.run.Manifest.Environment(c.Env), c.tcg)
		if n != "" && !seen[c.Env] && c.NotRun == nil {
			notes = append(notes, fmt.Sprintf("`%s` is %s", escape(c.Env), n))
			seen[c.Env] = true
		}
	}
	for _, n := range notesOf(&d.a.run.Manifest) {
		notes = append(notes, escape(n))
	}
	if len(notes) > 0 {
		d.line("How to read the rows:")
		d.items(notes)
	}
}

// caveatOf is what must be said of an environment wherever its figures stand. A
// guest under TCG bounds nothing.
func caveatOf(e results.Environment, tcg bool) string {
	if e.Caveat == "" {
		return ""
	}
	text := escape(e.Caveat)
	if tcg {
		text += ", here emulated in software (TCG)"
	} else if e.LowerBound {
		text += ": a lower bound for what people deploy"
	}
	if e.WholeCommand {
		text += "; what is timed is a whole command, and isn't ranked with rows that are called in process"
	}
	return text + "."
}

func (d *document) figures() {
	for _, f := range d.a.run.Manifest.Figures {
		if err := d.a.drawable(f); err != nil {
			d.line("*Not drawn: %s.*", escape(err.Error()))
			continue
		}
		d.line("![%s](plots/%s.png)", escape(f.Title), f.Name)
		text := "**" + escape(f.Title) + ".**"
		if f.Caption != "" {
			text += " " + escape(f.Caption)
		}
		d.line("%s ([as SVG](plots/%s.svg), [as PDF](plots/%s.pdf))", text, f.Name, f.Name)
	}
}

func (d *document) table(i int, m results.Metric) {
	d.line("## %s", escape(capital(m.Title)))
	if m.Help != "" {
		d.line("%s", escape(m.Help))
	}
	joint, why := d.a.joint(m.Name)
	head := []string{"environment", "trials", "median", "95 % interval", d.a.heading(m), joint, "ratio to " + d.a.baseName(), joint}
	fmt.Fprintf(&d.b, "| %s |\n|:---|%s\n", strings.Join(head, " | "), strings.Repeat("---:|", len(head)-1))
	for _, r := range d.a.rows(m, nil) {
		cells := []string{r.label, strings.Join(nonEmpty(r.trials, r.taints), ", "), r.median, r.ends, r.added, r.addedE, r.ratio, r.ratioE}
		if r.why != "" {
			cells[2] = r.why
		}
		if r.notRun != "" {
			cells = []string{r.label, r.notRun, "", "", "", "", "", ""}
			if i > 0 {
				cells[1] = "not run"
			}
		}
		for j := range cells {
			cells[j] = escape(cells[j])
		}
		fmt.Fprintf(&d.b, "| %s |\n", strings.Join(cells, " | "))
	}
	d.b.WriteByte('\n')
	var differ []string
	if why != "" {
		differ = append(differ, why)
	}
	for _, c := range d.a.cells {
		if x := c.samples[m.Name]; x != nil && x.against != nil && x.against.Difference.Known() {
			k := x.against
			differ = append(differ, fmt.Sprintf("%s and %s: Cliff's delta %s (%s), Mann-Whitney p of this comparison alone %s.",
				escape(c.label), escape(c.base.label), number(k.Effect.Delta, 2), k.Effect.Size(), probability(k.P)))
		}
	}
	d.items(differ)
}

func (d *document) phases() {
	any := false
	for _, m := range d.a.metrics {
		for _, c := range d.a.cells {
			b := d.a.breakdown(c, m.Name)
			if b == nil {
				continue
			}
			if !any {
				d.line("## What it consists of")
				d.line("Medians of each part over the counted trials. “other” is what the parts of a trial leave of its whole. Shares are of the whole's median. Medians needn't add up as single trials do, nor do shares; a verdict on a share takes each trial's own.")
				any = true
			}
			fmt.Fprintf(&d.b, "| %s: part | median | share |\n|:---|---:|---:|\n", escape(c.label))
			for _, p := range b.parts {
				fmt.Fprintf(&d.b, "| %s | %s | %s |\n", escape(p.title), quantity(p.median, m.Unit), percent(p.share))
			}
			if b.apart() {
				fmt.Fprintf(&d.b, "| the medians' sum | %s | %s |\n", quantity(b.sum, m.Unit), percent(b.sum/b.whole))
			}
			fmt.Fprintf(&d.b, "| **%s** | **%s** | |\n\n", escape(lower(m.Title)), quantity(b.whole, m.Unit))
		}
	}
}

func (d *document) verdicts() {
	if len(d.a.verdicts) == 0 {
		return
	}
	d.line("## Verdicts")
	d.line("What is compared, the threshold and its reason were set before the first trial. A statement holds, or doesn't hold, if the whole 95 %% interval is on one side of the threshold. All of it is said of this machine.")
	for _, v := range d.a.verdicts {
		fmt.Fprintf(&d.b, "- **%s**%s: “%s” %s\n", capital(v.outcome), beside(v.caveat), escape(v.finding.Statement), escape(v.brief()))
	}
	d.b.WriteByte('\n')
}

func (d *document) notRun() {
	var items []string
	for _, c := range d.a.cells {
		if c.NotRun != nil {
			items = append(items, fmt.Sprintf("**%s**: %s", escape(c.label), escape(notRun(c))))
		}
	}
	if len(items) > 0 {
		d.line("## Not run")
		d.items(items)
	}
}

func (d *document) doubts() {
	d.line("## How far these numbers go")
	var items []string
	for _, s := range d.a.doubts() {
		items = append(items, escape(s))
	}
	d.items(items)
}
