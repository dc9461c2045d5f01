package reports

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"lab/bench/clean"
	"lab/bench/stats"
	"lab/reports/analysis"
	"lab/reports/msg"
)

// contrastRule says when a row is called different.
func contrastRule(c *analysis.Contrast) string {
	s := "A difference is called one where its interval leaves out zero, and a ratio's 1."
	least, most := math.MaxInt, 0
	for _, r := range c.Rows {
		if r.Compared() {
			least, most = min(least, r.Family), max(most, r.Family)
		}
	}
	if most < 2 {
		return s
	}
	of := strconv.Itoa(most)
	if least < most {
		of = fmt.Sprintf("%d to %d", least, most)
	}
	question := "The comparisons of a metric"
	if c.AllTogether {
		question = "All rows"
	}
	return s + fmt.Sprintf(" %s hold together with 95 %% (a family of %s).", question, of)
}

// contrastWords lays a row out: cell, metric, medians of a and b, ratio, its
// interval, verdict.
func contrastWords(r analysis.ContrastRow) []string {
	median := func(iv stats.Interval) string {
		if iv.N == 0 {
			return ""
		}
		return msg.Quantity(iv.Point, r.Metric.Unit)
	}
	w := []string{r.Cell, r.Metric.Name, median(r.A), median(r.B), "", "", r.Verdict}
	switch {
	case !r.Compared():
	case r.Ratio != nil:
		w[4], w[5] = msg.Times(r.Ratio.Point), msg.Bare.Span(r.Ratio.Lo, r.Ratio.Hi, 1)
	default: // no ratio of what may be zero
		s := msg.ScaleFor(r.Difference.Point, r.Metric.Unit)
		w[4], w[5] = s.Join(s.Signed(r.Difference.Point)), s.Join(s.Span(r.Difference.Lo, r.Difference.Hi))
	}
	return w
}

var contrastHead = []string{"row", "metric", "median A", "median B", "B / A", "interval", "verdict on B"}

// ContrastTerminal writes the contrast as a table for people.
func ContrastTerminal(c *analysis.Contrast, w io.Writer, o Options) error {
	t := &terminal{o: o}
	if t.o.Width <= 0 {
		t.o.Width = 100
	}
	t.paragraph(bold, "A: ", "", c.A)
	t.paragraph(bold, "B: ", "", c.B)
	t.b.WriteByte('\n')
	var rows [][]string
	for _, r := range c.Rows {
		rows = append(rows, contrastWords(r))
	}
	out, err := render(contrastHead, rows)
	if err == nil && width(out) > t.o.Width {
		head := []string{"row,\nmetric", "median A", "median B", "B / A,\ninterval", "verdict\non B"}
		for i, r := range rows {
			rows[i] = []string{strings.Join(wrapWords(r[0], 26), "\n") + "\n" + r[1], r[2], r[3], r[4] + "\n" + r[5], strings.ReplaceAll(r[6], " found", "\nfound")}
		}
		out, err = render(head, rows)
	}
	if err != nil {
		return fmt.Errorf("write table: %w", err)
	}
	t.b.WriteString(out)
	t.b.WriteByte('\n')
	for _, r := range contrastReasons(c) {
		t.paragraph(yellow, r[0]+": ", "", r[1])
	}
	if len(c.Differs) > 0 {
		t.paragraph(bold, "", "", "What differs between A and B:")
		for _, d := range c.Differs {
			t.paragraph("", "", "- ", String(d))
		}
	}
	for _, n := range append(c.Notes, contrastRule(c)) {
		t.paragraph("", "", "- ", n)
	}
	_, err = w.Write(t.b.Bytes())
	return err
}

func String(d analysis.Difference) string {
	or := func(s string) string {
		if s == "" {
			return "—"
		}
		return s
	}
	return d.What + ": " + or(d.A) + " → " + or(d.B)
}

// contrastReasons are why rows have no verdict, each once a cell.
func contrastReasons(c *analysis.Contrast) [][2]string {
	var out [][2]string
	for _, r := range c.Rows {
		x := [2]string{r.Cell, r.Verdict + ": " + r.Reason}
		if r.Reason == "" || len(out) > 0 && out[len(out)-1] == x {
			continue
		}
		out = append(out, x)
	}
	return out
}

// ContrastMarkdown writes the contrast for a report or a pull request.
func ContrastMarkdown(c *analysis.Contrast, w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "**A**: %s  \n**B**: %s\n\n", escape(c.A), escape(c.B))
	fmt.Fprintf(&b, "| %s |\n|:---|:---|---:|---:|---:|---:|:---|\n", strings.Join(contrastHead, " | "))
	for _, r := range c.Rows {
		cells := contrastWords(r)
		for i := range cells {
			cells[i] = escape(cells[i])
		}
		if r.Verdict != analysis.NoDifference && r.Verdict != analysis.TooFewTrials {
			cells[6] = "**" + cells[6] + "**"
		}
		if r.Reason != "" {
			cells[6] += ": " + escape(r.Reason)
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
	}
	b.WriteByte('\n')
	if len(c.Differs) > 0 {
		b.WriteString("| what differs | A | B |\n|:---|:---|:---|\n")
		for _, d := range c.Differs {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", escape(d.What), escape(d.A), escape(d.B))
		}
		b.WriteByte('\n')
	}
	for _, n := range append(c.Notes, contrastRule(c)) {
		fmt.Fprintf(&b, "- %s\n", escape(n))
	}
	_, err := w.Write(b.Bytes())
	return err
}

// ContrastCSV writes one line a row, in base units; what there isn't is empty.
func ContrastCSV(c *analysis.Contrast, w io.Writer) error {
	out := csv.NewWriter(w)
	out.Write([]string{"a", "b", "cell", "metric", "unit", "better",
		"n_a", "median_a", "lo_a", "hi_a", "n_b", "median_b", "lo_b", "hi_b",
		"difference", "difference_lo", "difference_hi", "ratio", "ratio_lo", "ratio_hi",
		"cliffs_delta", "p", "family", "verdict", "reason"})
	num := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	three := func(iv *stats.Interval) []string {
		if iv == nil || iv.N == 0 {
			return []string{"", "", ""}
		}
		return []string{num(iv.Point), num(iv.Lo), num(iv.Hi)}
	}
	for _, r := range c.Rows {
		row := []string{c.A, c.B, r.Cell, r.Metric.Name, r.Metric.Unit, r.Metric.Better}
		for _, iv := range []stats.Interval{r.A, r.B} {
			row = append(append(row, strconv.Itoa(iv.N)), three(&iv)...)
		}
		row = append(append(row, three(&r.Difference)...), three(r.Ratio)...)
		if r.Compared() {
			row = append(row, num(r.Effect.Delta), num(r.P), strconv.Itoa(r.Family))
		} else {
			row = append(row, "", "", "")
		}
		out.Write(clean.Fields(append(row, r.Verdict, r.Reason)))
	}
	out.Flush()
	return out.Error()
}
