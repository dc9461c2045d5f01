package reports

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
	"golang.org/x/sys/unix"

	"lab/bench/results"
	"lab/bench/text"
	"lab/reports/analysis"
	"lab/reports/msg"
)

// Options say what the terminal can show.
type Options struct {
	Width int  // columns; 0 means 100
	Color bool // ANSI colours
}

// OptionsFor finds out what f can show: colours only on a terminal, and not
// under NO_COLOR (no-color.org) or TERM=dumb; its width, or COLUMNS.
func OptionsFor(f *os.File) Options {
	o := Options{Width: text.Width(f)}
	if o.Width == 0 {
		o.Width = text.DefaultWidth
	}
	if _, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ); err == nil {
		o.Color = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && os.Getenv("TERM") != ""
	}
	return o
}

// Terminal writes the run's headline table with what must be known to read
// it: banners above; not-run rows, verdicts and doubts below.
func Terminal(w io.Writer, run *results.Run, o Options) error {
	a := analysis.Of(run)
	t := &terminal{o: o}
	if t.o.Width <= 0 {
		t.o.Width = 100
	}
	for _, b := range a.Banners() {
		t.paragraph(yellow, "", "! ", b)
	}
	if len(a.Metrics) > 0 {
		m := a.Metrics[0]
		t.paragraph(bold, "", "", fmt.Sprintf("%s: %s", run.Manifest.Scenario, msg.Lower(m.Title)))
		if err := t.table(a, m); err != nil {
			return fmt.Errorf("write table: %w", err)
		}
	}
	t.b.WriteByte('\n')
	t.notRun(a)
	t.verdicts(a)
	for _, n := range analysis.NotesOf(&run.Manifest) {
		t.paragraph("", "", "- ", n)
	}
	if n := len(a.Caveats(false)); n > 0 {
		t.paragraph("", "", "- ", msg.Plural(n, "caveat")+": see “How far these numbers go” in report.md")
	}
	if _, err := w.Write(t.b.Bytes()); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

type terminal struct {
	o Options
	b bytes.Buffer
}

const (
	bold   = "1"
	red    = "31"
	green  = "32"
	yellow = "33"
)

func (t *terminal) paint(color, s string) string {
	if !t.o.Color || color == "" {
		return s
	}
	return "\x1b[" + color + "m" + s + "\x1b[0m"
}

// paragraph wraps text to the width; head is painted, and so is all of it
// where there is no head.
func (t *terminal) paragraph(color, head, indent, text string) {
	lines := wrapWords(head+text, t.o.Width-utf8.RuneCountInString(indent))
	for i, l := range lines {
		lead := indent
		if i > 0 {
			lead = strings.Repeat(" ", utf8.RuneCountInString(indent))
		}
		switch {
		case head == "":
			l = t.paint(color, l)
		case i == 0 && strings.HasPrefix(l, head):
			l = t.paint(color, head) + l[len(head):]
		}
		fmt.Fprintln(&t.b, lead+l)
	}
}

// Paragraphs writes a title and wrapped paragraphs, which an empty line parts in
// the text.
func Paragraphs(w io.Writer, title, text string, o Options) error {
	t := &terminal{o: o}
	if t.o.Width <= 0 {
		t.o.Width = 100
	}
	t.paragraph(bold, "", "", title)
	for _, p := range strings.Split(text, "\n\n") {
		t.b.WriteByte('\n')
		t.paragraph("", "", "", p)
	}
	_, err := w.Write(t.b.Bytes())
	return err
}

// notRun says which rows have no values, once for each reason.
func (t *terminal) notRun(a *analysis.Analysis) {
	var why []string
	rows := map[string][]string{}
	add := func(reason, label string) {
		if rows[reason] == nil {
			why = append(why, reason)
		}
		rows[reason] = append(rows[reason], label)
	}
	for _, c := range a.Cells {
		if c.NotRun != nil {
			add(analysis.NotRun(c), c.Name)
		} else if len(a.Metrics) > 0 {
			if m := a.Metrics[0]; c.Samples[m.Name] == nil && c.Why(m.Name) != "" {
				add("no "+msg.Lower(m.Title)+": "+c.Why(m.Name), c.Name)
			}
		}
	}
	for _, reason := range why {
		t.paragraph(yellow, strings.Join(rows[reason], "; ")+":", "", " "+reason)
	}
}

// signs are how a verdict begins.
var signs = map[string]struct{ sign, color string }{analysis.Holds: {"+", green}, analysis.Fails: {"x", red}, analysis.Undecided: {"?", yellow}}

// verdicts has a line for each: its mark, the statement and the figure. The
// threshold, the interval and the reason are in the report.
func (t *terminal) verdicts(a *analysis.Analysis) {
	if len(a.Verdicts) == 0 {
		return
	}
	t.paragraph(bold, "", "", "Verdicts: + holds, x doesn't hold, ? undecided, * with a caveat; why: report.md")
	none := 0
	for _, v := range a.Verdicts {
		if v.Outcome == analysis.Unmeasured {
			none++
			continue
		}
		m, star := signs[v.Outcome], " "
		if v.Caveat != "" {
			star = "*"
		}
		figure := verdictFigure(v)
		room := min(t.o.Width, 100) - 3 - utf8.RuneCountInString(figure) - 2
		statement := v.Finding.Statement
		if r := []rune(statement); len(r) > room {
			statement = strings.TrimRight(string(r[:max(room-1, 0)]), " ") + "…"
		}
		fmt.Fprintln(&t.b, strings.TrimRight(t.paint(m.color, m.sign)+star+" "+fmt.Sprintf("%-*s  %s", room, statement, figure), " "))
	}
	if none > 0 {
		t.paragraph(yellow, "", "", fmt.Sprintf("-  %d can't be measured here", none))
	}
}

// verdictFigure is the middle of what a verdict rests on: "2.55 ms", "7.98 ×"; "" where
// it rests on none.
func verdictFigure(v analysis.Verdict) string {
	_, f, ok := strings.Cut(v.Said, ": ")
	if !ok {
		return ""
	}
	f, _, _ = strings.Cut(f, " (")
	f, _, _ = strings.Cut(f, " that of ")
	f, _, _ = strings.Cut(f, "; ")
	return f
}

// table draws the headline metric. Where one line a cell is too wide, the
// intervals move to a line of their own.
func (t *terminal) table(a *analysis.Analysis, m results.Metric) error {
	others := a.Metrics[1:min(len(a.Metrics), 3)]
	joint, _ := a.Joint(m.Name)
	header := []string{"environment", "trials", "median", "95 % interval", addedHeading(a, m), joint, "× " + a.BaseName()}
	for _, o := range others {
		header = append(header, o.Name)
	}
	var wide [][]string
	for _, r := range metricRows(a, m, others) {
		wide = append(wide, append([]string{r.label, r.trials, r.median, r.ends, r.added, r.addedE, r.ratio}, r.others...))
	}
	out, err := render(header, wide)
	if err != nil {
		return err
	}
	if width(out) > t.o.Width {
		if out, err = t.narrow(a, m, others); err != nil {
			return err
		}
	}
	if strings.Count(out, "\n") > tableLines {
		if out, err = t.short(a, m); err != nil {
			return err
		}
	}
	t.b.WriteString(out)
	return nil
}

// narrow puts the intervals on a second line of each row. Where even that is
// too wide, further metrics are left out: report.md has them.
func (t *terminal) narrow(a *analysis.Analysis, m results.Metric, others []results.Metric) (string, error) {
	joint, _ := a.Joint(m.Name)
	header := []string{"environment", "trials", "median,\n95 % interval", strings.Replace(addedHeading(a, m), " to ", "\nto ", 1) + ", " + strings.TrimSuffix(joint, " interval"), strings.Replace("× "+a.BaseName(), " the ", " the\n", 1)}
	for _, o := range others {
		header = append(header, o.Name)
	}
	var rows [][]string
	for _, r := range metricRows(a, m, others) {
		if r.ratio == notCompared {
			r.ratio = ""
		}
		label := strings.Join(wrapWords(strings.ReplaceAll(r.label, analysis.TCGMark, "TCG\u00a0(emulated)"), 22), "\n")
		rows = append(rows, append([]string{label, strings.ReplaceAll(r.trials, " (", "\n("),
			r.median + "\n" + r.ends, r.added + "\n" + r.addedE, r.ratio}, r.others...))
	}
	for {
		out, err := render(header, rows)
		if err != nil || width(out) <= t.o.Width || len(header) == 5 {
			return strings.ReplaceAll(out, "\u00a0", " "), err
		}
		header = header[:len(header)-1]
		for i := range rows {
			rows[i] = rows[i][:len(header)]
		}
	}
}

// tableLines are as many as leave room for the rest on a screen of 24.
const tableLines = 14

// short has a line for each row, without the intervals: report.md has them.
func (t *terminal) short(a *analysis.Analysis, m results.Metric) (string, error) {
	header := []string{"environment", "trials\n(failed)", "median", addedHeading(a, m), "× " + a.BaseName()}
	var rows [][]string
	failed := false
	for _, r := range metricRows(a, m, nil) {
		if r.ratio == notCompared {
			r.ratio = ""
		}
		failed = failed || strings.Contains(r.trials, "failed")
		rows = append(rows, []string{strings.ReplaceAll(r.label, analysis.TCGMark, "TCG"), strings.Replace(r.trials, " failed)", ")", 1), r.median, r.added, r.ratio})
	}
	if !failed {
		header[1] = "trials"
	}
	out, err := render(header, rows)
	if err == nil && width(out) > t.o.Width {
		header = slices.Delete(header, 3, 4)
		for i := range rows {
			rows[i] = slices.Delete(rows[i], 3, 4)
		}
		out, err = render(header, rows)
	}
	return out + "(intervals: report.md)\n", err
}

func render(header []string, rows [][]string) (string, error) {
	var b bytes.Buffer
	align := make([]tw.Align, len(header))
	for i := range align {
		align[i] = tw.AlignRight
	}
	align[0] = tw.AlignLeft
	table := tablewriter.NewTable(&b,
		tablewriter.WithRenderer(renderer.NewBlueprint(tw.Rendition{
			Borders: tw.BorderNone,
			Symbols: tw.NewSymbols(tw.StyleLight),
			Settings: tw.Settings{
				Separators: tw.Separators{BetweenColumns: tw.Off, BetweenRows: tw.Off},
				Lines:      tw.Lines{ShowHeaderLine: tw.On, ShowTop: tw.Off, ShowBottom: tw.Off},
			},
		})),
		tablewriter.WithHeaderAutoFormat(tw.Off),
		tablewriter.WithHeaderAutoWrap(tw.WrapNone),
		tablewriter.WithRowAutoWrap(tw.WrapNone),
		tablewriter.WithHeaderAlignmentConfig(tw.CellAlignment{PerColumn: align}),
		tablewriter.WithRowAlignmentConfig(tw.CellAlignment{PerColumn: align}),
		tablewriter.WithTrimSpace(tw.Off),
	)
	table.Header(header)
	for _, r := range rows {
		if err := table.Append(r); err != nil {
			return "", err
		}
	}
	if err := table.Render(); err != nil {
		return "", err
	}
	var out strings.Builder
	for l := range strings.Lines(b.String()) {
		out.WriteString(strings.TrimRight(l, " \n") + "\n")
	}
	return out.String(), nil
}

// width is the longest line's, in characters; the tables hold no wide ones.
func width(s string) int {
	w := 0
	for l := range strings.Lines(s) {
		w = max(w, utf8.RuneCountInString(strings.TrimRight(l, "\n")))
	}
	return w
}

// wrapWords breaks text at spaces; a longer word keeps its own line.
func wrapWords(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= width:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	return append(lines, line)
}
