package reports

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"lab/bench/results"
)

// What a reproduction says of a finding.
const (
	Agrees    = "agrees"
	Differs   = "differs"
	CantTell  = "can't be told"
	Tolerance = 0.1 // how far a median may move on the same machine
)

// A Reproduction sets a run that was made once more beside the original.
type Reproduction struct {
	Rows    []ReproductionRow
	Figures *Contrast // the medians: the original is a
	Same    bool      // on the same machine
}

// A ReproductionRow is one of the original's findings.
type ReproductionRow struct {
	Name, Statement, Cell string
	Was, Is               string // outcomes
	WasCaveat, IsCaveat   string // what they may not be quoted without, or ""
	Verdict, Reason       string
}

// Reproduce judges the original's findings by both runs.
//
// A finding agrees where both came to the same outcome, and differs where it
// holds in the one and doesn't in the other; with one undecided it can't be
// told. On the same machine its figures must agree, too: it also differs where a
// median that it rests on was found to be another one (see [Compare]) by more
// than [Tolerance]. On another machine figures are another machine's.
func Reproduce(original, again *results.Run) (*Reproduction, error) {
	copied := *again
	copied.Manifest.Findings = original.Manifest.Findings
	figures, err := Compare(original, again)
	if err != nil {
		return nil, err
	}
	r := &Reproduction{Figures: figures, Same: original.Machine.ID != "" && original.Machine.ID == again.Machine.ID}
	x, y := analyse(original), analyse(&copied)
	for _, v := range x.verdicts {
		row := ReproductionRow{Name: v.finding.Name, Statement: v.finding.Statement, Cell: v.cell, Was: v.outcome, WasCaveat: v.caveat, Is: "not measured"}
		if w := sameVerdict(v, y.verdicts); w != nil {
			row.Is, row.IsCaveat = w.outcome, w.caveat
		}
		row.Verdict, row.Reason = r.judge(v, row, x, y)
		r.Rows = append(r.Rows, row)
	}
	return r, nil
}

func sameVerdict(v verdict, all []verdict) *verdict {
	plainLabel := func(s string) string { return strings.TrimSuffix(s, ", "+tcgMark) }
	for i, w := range all {
		if w.finding.Name == v.finding.Name && plainLabel(w.cell) == plainLabel(v.cell) {
			return &all[i]
		}
	}
	return nil
}

func (r *Reproduction) judge(v verdict, row ReproductionRow, x, y *analysis) (verdict, reason string) {
	if why := unlike(v, x, y); why != "" {
		return NotComparable, why
	}
	decided := func(s string) bool { return s == holds || s == fails }
	if !decided(row.Was) || !decided(row.Is) {
		return CantTell, row.changed()
	}
	if row.Was != row.Is {
		return Differs, row.changed()
	}
	if r.Same {
		if moved := r.moved(v); moved != "" {
			return Differs, "its outcome is the same" + row.caveats() + ", its figures aren't: " + moved
		}
	}
	return Agrees, ""
}

// caveats are those of an outcome that is the same in both.
func (row ReproductionRow) caveats() string {
	return beside(strings.Join(nonEmpty(prefixed("originally ", row.WasCaveat), prefixed("now ", row.IsCaveat)), ", "))
}

func prefixed(head, s string) string {
	if s == "" {
		return ""
	}
	return head + s
}

// changed says both outcomes.
func (row ReproductionRow) changed() string {
	return fmt.Sprintf("it was %s%s, and now it is %s%s", quoted(row.Was), beside(row.WasCaveat), quoted(row.Is), beside(row.IsCaveat))
}

func quoted(s string) string { return "“" + s + "”" }

// unlike says why two runs' values can't be set beside each other.
func unlike(v verdict, x, y *analysis) string {
	if why := otherBytes(x, y); why != "" {
		return why
	}
	a, b := x.run.Manifest.Kernel, y.run.Manifest.Kernel
	for _, env := range []string{v.finding.Of, v.finding.To} {
		for _, p := range x.cells {
			q := sameCell(p, y.cells)
			if p.Env != env || q == nil || p.NotRun != nil || q.NotRun != nil {
				continue
			}
			if p.tcg != q.tcg {
				return "one was emulated in software (TCG), which is no measure of how fast VMs are"
			}
			if x.run.Manifest.Environment(env).Guest && a.Digest != b.Digest {
				return "the guests' kernels differ: " + digests(a, b)
			}
		}
	}
	return ""
}

// moved names the medians that a finding rests on and that are others now.
func (r *Reproduction) moved(v verdict) string {
	var out []string
	for _, row := range r.Figures.Rows {
		env, _, _ := strings.Cut(row.Cell, " ")
		env = strings.TrimSuffix(env, ",")
		if row.Metric.Name != v.finding.Metric || env != v.finding.Of && env != v.finding.To || !row.Compared() ||
			row.Verdict == NoDifference || row.Verdict == TooFewTrials || row.Ratio == nil || math.Abs(row.Ratio.Point-1) <= Tolerance {
			continue
		}
		out = append(out, fmt.Sprintf("%s of %s is %s (%s that of the original, %s)", row.Metric.Name, row.Cell,
			row.Verdict, times(row.Ratio.Point), scale{"", 1}.span(row.Ratio.Lo, row.Ratio.Hi, 1)))
	}
	return strings.Join(out, "; ")
}

// Count is how many rows have a verdict.
func (r *Reproduction) Count(verdict string) int {
	n := 0
	for _, row := range r.Rows {
		if row.Verdict == verdict {
			n++
		}
	}
	return n
}

// summary is one sentence: "4 agree, 1 can't be told".
func (r *Reproduction) summary() string {
	if len(r.Rows) == 0 {
		return "The original has no findings; its figures are compared alone."
	}
	seen := map[string]int{}
	for _, row := range r.Rows {
		seen[row.Verdict]++
	}
	var parts []string
	for _, v := range slices.Sorted(maps.Keys(seen)) {
		parts = append(parts, fmt.Sprintf("%s: %d", v, seen[v]))
	}
	return fmt.Sprintf("Of the original's %s, %s.", plural(len(r.Rows), "finding"), strings.Join(parts, ", "))
}

// where says what a reader may expect of the figures.
func (r *Reproduction) where() string {
	if r.Same {
		return fmt.Sprintf("Both runs are of this machine: a finding also differs where a median that it rests on has moved by more than %s.", percent(Tolerance))
	}
	return "The runs are of different machines: outcomes are compared, not figures."
}

// reason is why a row has its verdict: the outcome, where both agree.
func (row ReproductionRow) reason() string {
	if row.Reason == "" {
		return row.Was + row.caveats()
	}
	return oneLine(row.Reason)
}

// finding names what a row is about.
func (row ReproductionRow) finding() string {
	return fmt.Sprintf("%s (%s): “%s”", row.Name, row.Cell, row.Statement)
}

// grouped are the rows by verdict and reason, in the order of the first of each.
func (r *Reproduction) grouped() (out [][]ReproductionRow) {
	for _, row := range r.Rows {
		n := slices.IndexFunc(out, func(g []ReproductionRow) bool { return g[0].Verdict == row.Verdict && g[0].reason() == row.reason() })
		if n < 0 {
			out = append(out, nil)
			n = len(out) - 1
		}
		out[n] = append(out[n], row)
	}
	return out
}

// Terminal writes the verdicts, and under them the medians.
func (r *Reproduction) Terminal(w io.Writer, o Options) error {
	t := &terminal{o: o}
	if t.o.Width <= 0 {
		t.o.Width = 100
	}
	t.paragraph(bold, "", "", r.summary())
	t.paragraph("", "", "", r.where())
	t.b.WriteByte('\n')
	colors := map[string]string{Agrees: green, Differs: red}
	for _, rows := range r.grouped() {
		row := rows[0]
		color := colors[row.Verdict]
		if color == "" {
			color = yellow
		}
		reason := row.reason()
		if len(rows) == 1 {
			t.paragraph(color, capital(row.Verdict)+":", "", " "+row.finding()+" "+capital(reason)+".")
			continue
		}
		t.paragraph(color, fmt.Sprintf("%s (%d):", capital(row.Verdict), len(rows)), "", " "+reason+".")
		for _, row := range rows {
			t.paragraph("", "", "- ", row.finding())
		}
	}
	t.b.WriteByte('\n')
	if _, err := w.Write(t.b.Bytes()); err != nil {
		return err
	}
	return r.Figures.Terminal(w, o)
}

// Markdown writes the same as a page.
func (r *Reproduction) Markdown(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Reproduced: what became of the findings\n\n%s %s\n\n", escape(r.summary()), escape(r.where()))
	b.WriteString("| finding | of | original | repeated | verdict |\n|:---|:---|:---|:---|:---|\n")
	for _, row := range r.Rows {
		verdict := "**" + row.Verdict + "**"
		if row.Reason != "" && row.Reason != row.changed() { // the two columns before it say that
			verdict += ": " + escape(row.Reason)
		}
		fmt.Fprintf(&b, "| %s: “%s” | %s | %s | %s | %s |\n", escape(row.Name), escape(row.Statement), escape(row.Cell), row.Was+beside(row.WasCaveat), row.Is+beside(row.IsCaveat), verdict)
	}
	b.WriteString("\n## The medians\n\n")
	if err := r.Figures.Markdown(&b); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}
