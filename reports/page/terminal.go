package page

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
	"golang.org/x/sys/unix"

	"lab/bench/clean"
	"lab/bench/text"
	"lab/reports/msg"
)

// Options say what the terminal can show, and in which language.
type Options struct {
	Width    int  // columns; 0 means 100
	Color    bool // ANSI colours
	Language *msg.Language
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

// Terminal writes the page for people at a terminal.
func (p *Page) Terminal(w io.Writer, o Options) error {
	t := &terminal{o: o}
	if t.o.Width <= 0 {
		t.o.Width = 100
	}
	if t.o.Language == nil {
		t.o.Language = msg.Reader()
	}
	for _, x := range p.blocks {
		if err := t.block(x); err != nil {
			return fmt.Errorf("write page: %w", err)
		}
	}
	if _, err := w.Write(t.b.Bytes()); err != nil {
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}

type terminal struct {
	o Options
	b bytes.Buffer
}

// say is clean before it is measured: what comes from outside may pretend to be a colour,
// which takes no column.
func (t *terminal) say(x Text) string { return clean.Line(flat(t.o.Language, x, msg.Plain)) }

func (t *terminal) block(x block) error {
	switch x.kind {
	case heading:
		t.paragraph(Bold, "", "", t.say(x.text))
	case banner:
		t.paragraph(Yellow, "", "! ", t.say(x.text))
	case paragraph:
		t.paragraph("", "", "", t.say(x.text))
	case list:
		for _, i := range x.more {
			t.paragraph("", "", "- ", t.say(i))
		}
	case table:
		return t.table(x.tables)
	case code:
		fmt.Fprintf(&t.b, "  %s\n", strings.Join(x.lines, "\n  "))
	case mark:
		t.mark(x)
	case gap:
		t.b.WriteByte('\n')
	}
	return nil
}

func (t *terminal) paint(c Color, s string) string {
	if !t.o.Color || c == "" {
		return s
	}
	return "\x1b[" + string(c) + "m" + s + "\x1b[0m"
}

// paragraph wraps text to the width; head is painted, and so is all of it if
// there is no head.
func (t *terminal) paragraph(c Color, head, indent, words string) {
	lines := wrap(head+words, t.o.Width-text.Columns(indent))
	for i, l := range lines {
		lead := indent
		if i > 0 {
			lead = strings.Repeat(" ", text.Columns(indent))
		}
		switch {
		case head == "":
			l = t.paint(c, l)
		case i == 0 && strings.HasPrefix(l, head):
			l = t.paint(c, head) + l[len(head):]
		}
		fmt.Fprintln(&t.b, lead+l)
	}
}

// mark writes a line with an outcome before and a figure behind it, its text wrapped
// where it has no room; without a figure it is a paragraph.
func (t *terminal) mark(x block) {
	head, words := t.say(x.text), t.say(x.more[0])
	if len(x.more) == 1 {
		t.paragraph(x.color, head, "", " "+words)
		return
	}
	figure := t.say(x.more[1])
	room := min(t.o.Width, 100) - text.Columns(head) - 1 - text.Columns(figure) - 2
	for i, l := range wrap(words, room) {
		if i > 0 {
			fmt.Fprintf(&t.b, "%*s%s\n", text.Columns(head)+1, "", l)
			continue
		}
		fmt.Fprintln(&t.b, strings.TrimRight(fmt.Sprintf("%s %s  %s", t.paint(x.color, head), text.Pad(l, room), figure), " "))
	}
}

// table writes the first table that fits, or the last.
func (t *terminal) table(tables []Table) error {
	for i, x := range tables {
		out, err := t.render(x)
		if err != nil {
			return err
		}
		if i == len(tables)-1 || width(out) <= t.o.Width && (x.Most == 0 || strings.Count(out, "\n") <= x.Most) {
			t.b.WriteString(out)
			if x.Note != nil {
				fmt.Fprintln(&t.b, t.say(x.Note))
			}
			return nil
		}
	}
	return nil
}

// cell is a cell's text, of one line or several.
func (t *terminal) cell(x Text) string {
	switch x := x.(type) {
	case Lines:
		var out []string
		for _, l := range x {
			out = append(out, t.cell(l))
		}
		return strings.Join(out, "\n")
	case Wrapped:
		return strings.Join(wrap(t.cell(x.Text), x.Width), "\n")
	}
	return t.say(x)
}

func (t *terminal) cells(row []Text) []string {
	out := make([]string, len(row))
	for i, c := range row {
		out[i] = t.cell(c)
	}
	return out
}

func (t *terminal) render(x Table) (string, error) {
	var b bytes.Buffer
	align := make([]tw.Align, len(x.Head))
	for i := range align {
		if align[i] = tw.AlignRight; x.left(i) {
			align[i] = tw.AlignLeft
		}
	}
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
	table.Header(t.cells(x.Head))
	for _, r := range x.Rows {
		if err := table.Append(t.cells(r)); err != nil {
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

// width is the longest line's, in columns.
func width(s string) int {
	w := 0
	for l := range strings.Lines(s) {
		w = max(w, text.Columns(strings.TrimRight(l, "\n")))
	}
	return w
}

// wrap breaks text at spaces; a longer word keeps its own line.
func wrap(words string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(words) {
		switch {
		case line == "":
			line = word
		case text.Columns(line)+1+text.Columns(word) <= width:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	return append(lines, line)
}
