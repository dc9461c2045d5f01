// Package page is the one way in which the lab lays out text: a [Page] holds
// headings, paragraphs, lists, tables and pictures, in order, as messages
// (package msg). A backend writes it in a language:
//
//	[Page.Markdown]  report.md, methods.md, a pull request (markdown.go)
//	[Page.HTML]      the folds of report.html (html.go)
//	[Page.Terminal]  what a command prints (terminal.go)
//
// A further backend is one file, which takes each kind of block.
package page

import (
	"slices"
	"strings"

	"lab/reports/msg"
)

// A Page is what is to be read, in order.
type Page struct{ blocks []block }

// A block is a heading, a paragraph, a list, …: what each kind uses of it is with
// the method that adds it.
type block struct {
	kind   kind
	text   any
	more   []any
	lines  []string
	tables []Table
	color  Color
	level  int // of a heading, from 1
}

type kind int

const (
	heading kind = iota
	banner
	paragraph
	list
	table
	picture
	code
	mark
	gap
)

// Text is a message, a string from outside, a number, or [Lines] of them.
type Text = any

// Lines are texts below one another in a table's cell, where there is room for one
// line only they are one.
type Lines []Text

// Wrapped is a text in a table's cell that a terminal breaks at Width characters.
type Wrapped struct {
	Text  Text
	Width int
}

// A Table has a head, and rows as long as that. Columns are aligned to the left
// ('l') or right ('r'); without Align all but the first to the right.
type Table struct {
	Head  []Text
	Rows  [][]Text
	Align string
	Most  int  // lines that it may have on a terminal; 0: any number
	Note  Text // what a terminal says below
}

func (p *Page) add(b block) { p.blocks = append(p.blocks, b) }

// Append adds all of another page.
func (p *Page) Append(o *Page) { p.blocks = append(p.blocks, o.blocks...) }

// Title is what the page is about.
func (p *Page) Title(t Text) { p.add(block{kind: heading, level: 1, text: t}) }

// Section begins a part of the page.
func (p *Page) Section(t Text) { p.add(block{kind: heading, level: 2, text: t}) }

// Subsection begins a part of a section.
func (p *Page) Subsection(t Text) { p.add(block{kind: heading, level: 3, text: t}) }

// Banner is what every reader has to know first.
func (p *Page) Banner(t Text) { p.add(block{kind: banner, text: t}) }

// Text is a paragraph.
func (p *Page) Text(t Text) { p.add(block{kind: paragraph, text: t}) }

// List has an item for each text; without any it isn't there.
func (p *Page) List(items ...Text) {
	if len(items) > 0 {
		p.add(block{kind: list, more: items})
	}
}

// Messages is a list of messages, without those that say nothing.
func (p *Page) Messages(items ...msg.Message) {
	var out []Text
	for _, m := range items {
		if !m.IsZero() {
			out = append(out, m)
		}
	}
	p.List(out...)
}

// Table is a table. A terminal takes the first of those given that it has room
// for, and else the last; others have the first.
func (p *Page) Table(t Table, narrower ...Table) {
	p.add(block{kind: table, tables: append([]Table{t}, narrower...)})
}

// Picture shows plots/NAME, which there is as PNG, SVG and PDF, with a caption in
// which its title comes first. A name with a folder is as it is.
func (p *Page) Picture(name string, title, caption Text) {
	if !strings.Contains(name, "/") {
		name = "plots/" + name
	}
	p.add(block{kind: picture, lines: []string{name}, text: title, more: []any{caption}})
}

// Code is a text to be typed, or read by a program.
func (p *Page) Code(lines ...string) { p.add(block{kind: code, lines: lines}) }

// Mark is a line that begins with an outcome in its colour; figure, if there is
// one, is at the line's end.
func (p *Page) Mark(c Color, head, text Text, figure ...Text) {
	p.add(block{kind: mark, color: c, text: head, more: append([]any{text}, figure...)})
}

// Gap is an empty line on a terminal.
func (p *Page) Gap() { p.add(block{kind: gap}) }

// A Color is how an outcome looks.
type Color string

// What there are.
const (
	Bold   Color = "1"
	Red    Color = "31"
	Green  Color = "32"
	Yellow Color = "33"
)

// flat is a text in which lines are one.
func flat(l *msg.Language, t Text, k msg.Markup) string {
	switch t := t.(type) {
	case Lines:
		s := ""
		for _, x := range t {
			if one := flat(l, x, k); one != "" && s != "" {
				s += " " + one
			} else {
				s += one
			}
		}
		return s
	case Wrapped:
		return flat(l, t.Text, k)
	}
	return l.Render(t, k)
}

// Without is the table without a column.
func (t Table) Without(column int) Table {
	if column < len(t.Align) {
		t.Align = t.Align[:column] + t.Align[column+1:]
	}
	t.Head = slices.Delete(slices.Clone(t.Head), column, column+1)
	rows := make([][]Text, len(t.Rows))
	for i, r := range t.Rows {
		rows[i] = slices.Delete(slices.Clone(r), column, column+1)
	}
	t.Rows = rows
	return t
}
