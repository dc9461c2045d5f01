package reports

import (
	"bytes"
	"fmt"
	"strings"

	"lab/bench/clean"
	"lab/bench/results"
	"lab/reports/analysis"
	"lab/reports/msg"
	"lab/reports/plot"
)

// markdown is report.md: something that a teacher can hand out. It opens with
// what the run shows, and ends with how to repeat it.
func markdown(a *analysis.Analysis) []byte {
	d := &document{a: a}
	m := a.Run.Manifest
	d.line("# %s", escape(strings.TrimSuffix(m.Scenario+": "+m.Question, ": ")))
	for _, b := range a.Banners() {
		d.line("> **%s**", escape(b))
	}
	d.opening()
	d.figures()
	for i, x := range a.Metrics {
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
	a *analysis.Analysis
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
	d.items(sentences(d.a))
	var judged []string
	for _, v := range d.a.Verdicts {
		judged = append(judged, fmt.Sprintf("“%s” **%s**%s, %s (%s).", escape(v.Finding.Statement), msg.Capital(v.Outcome), analysis.Beside(v.Caveat), analysis.Here, escape(v.Cell)))
	}
	if len(judged) > 0 {
		d.line("What people say, and what became of it:")
		d.items(judged)
	}
	var notes []string
	seen := map[string]bool{}
	for _, c := range d.a.Cells {
		n := caveatOf(d.a.Run.Manifest.Environment(c.Env), c.TCG)
		if n != "" && !seen[c.Env] && c.NotRun == nil {
			notes = append(notes, fmt.Sprintf("`%s` is %s", escape(c.Env), n))
			seen[c.Env] = true
		}
	}
	for _, n := range analysis.NotesOf(&d.a.Run.Manifest) {
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
	for _, f := range d.a.Run.Manifest.Figures {
		if err := plot.Drawable(d.a, f); err != nil {
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
	d.line("## %s", escape(msg.Capital(m.Title)))
	if m.Help != "" {
		d.line("%s", escape(m.Help))
	}
	joint, why := d.a.Joint(m.Name)
	head := []string{"environment", "trials", "median", "95 % interval", addedHeading(d.a, m), joint, "ratio to " + d.a.BaseName(), joint}
	fmt.Fprintf(&d.b, "| %s |\n|:---|%s\n", strings.Join(head, " | "), strings.Repeat("---:|", len(head)-1))
	for _, r := range metricRows(d.a, m, nil) {
		cells := []string{r.label, strings.Join(msg.NonEmpty(r.trials, r.taints), ", "), r.median, r.ends, r.added, r.addedE, r.ratio, r.ratioE}
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
	for _, c := range d.a.Cells {
		if x := c.Samples[m.Name]; x != nil && x.Against != nil && x.Against.Difference.Known() {
			k := x.Against
			differ = append(differ, fmt.Sprintf("%s and %s: Cliff's delta %s (%s), Mann-Whitney p of this comparison alone %s.",
				escape(c.Name), escape(c.Base.Name), msg.Number(k.Effect.Delta, 2), k.Effect.Size(), msg.Probability(k.P)))
		}
	}
	d.items(differ)
}

func (d *document) phases() {
	any := false
	for _, m := range d.a.Metrics {
		for _, c := range d.a.Cells {
			b := d.a.Breakdown(c, m.Name)
			if b == nil {
				continue
			}
			if !any {
				d.line("## What it consists of")
				d.line("Medians of each part over the counted trials. “other” is what the parts of a trial leave of its whole. Shares are of the whole's median. Medians needn't add up as single trials do, nor do shares; a verdict on a share takes each trial's own.")
				any = true
			}
			fmt.Fprintf(&d.b, "| %s: part | median | share |\n|:---|---:|---:|\n", escape(c.Name))
			for _, p := range b.Parts {
				fmt.Fprintf(&d.b, "| %s | %s | %s |\n", escape(p.Title), msg.Quantity(p.Median, m.Unit), msg.Percent(p.Share))
			}
			if b.Apart() {
				fmt.Fprintf(&d.b, "| the medians' sum | %s | %s |\n", msg.Quantity(b.Sum, m.Unit), msg.Percent(b.Sum/b.Whole))
			}
			fmt.Fprintf(&d.b, "| **%s** | **%s** | |\n\n", escape(msg.Lower(m.Title)), msg.Quantity(b.Whole, m.Unit))
		}
	}
}

func (d *document) verdicts() {
	if len(d.a.Verdicts) == 0 {
		return
	}
	d.line("## Verdicts")
	d.line("What is compared, the threshold and its reason were set before the first trial. A statement holds, or doesn't hold, if the whole 95 %% interval is on one side of the threshold.")
	for _, v := range d.a.Verdicts {
		fmt.Fprintf(&d.b, "- **%s**%s: “%s” %s\n", msg.Capital(v.Outcome), analysis.Beside(v.Caveat), escape(v.Finding.Statement), escape(v.Sentence))
	}
	d.b.WriteByte('\n')
}

func (d *document) notRun() {
	var items []string
	for _, c := range d.a.Cells {
		if c.NotRun != nil {
			items = append(items, fmt.Sprintf("**%s**: %s", escape(c.Name), escape(analysis.NotRun(c))))
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
	for _, s := range d.a.Doubts() {
		items = append(items, escape(s))
	}
	d.items(items)
}
