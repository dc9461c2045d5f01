package page

import (
	"bytes"
	"fmt"
	"html"
	"html/template"
	"regexp"
	"strings"

	"lab/bench/clean"
	"lab/reports/msg"
)

// In HTML the marks of bold and code are found when a text is whole: those that come
// from outside are written as numbers.
var (
	htmlText = msg.Markup{Words: html.EscapeString, Escape: func(s string) string {
		return strings.NewReplacer("*", "&#42;", "`", "&#96;").Replace(html.EscapeString(clean.Line(s)))
	}}
	strong = regexp.MustCompile(`\*\*(.+?)\*\*`)
	typed  = regexp.MustCompile("`(.+?)`")
)

// HTML is the page as HTML elements, headings from the second level on.
func (p *Page) HTML(l *msg.Language) template.HTML {
	var b bytes.Buffer
	say := func(t Text) string {
		return typed.ReplaceAllString(strong.ReplaceAllString(flat(l, t, htmlText), "<b>$1</b>"), "<code>$1</code>")
	}
	put := func(tag string, t Text) { fmt.Fprintf(&b, "<%s>%s</%[1]s>\n", tag, say(t)) }
	title := ""
	for _, x := range p.blocks {
		switch x.kind {
		case heading:
			title = say(x.text)
			put(fmt.Sprintf("h%d", x.level+1), x.text)
		case banner, paragraph:
			put("p", x.text)
		case list:
			b.WriteString("<ul>\n")
			for _, t := range x.more {
				put("li", t)
			}
			b.WriteString("</ul>\n")
		case table:
			x.tables[0].html(&b, title, say)
		case picture:
			fmt.Fprintf(&b, "<p><img src=\"%s.svg\" alt=\"%s\"> %s</p>\n", x.lines[0], say(x.text), say(x.more[0]))
		case code:
			fmt.Fprintf(&b, "<pre>%s</pre>\n", html.EscapeString(clean.Text(strings.Join(x.lines, "\n"))))
		case mark:
			fmt.Fprintf(&b, "<p><b>%s</b> %s</p>\n", say(x.text), say(Lines(x.more)))
		}
	}
	return template.HTML(b.String())
}

// longText is how many bytes a cell has that is broken into lines.
const longText = 50

// html writes a table that can be scrolled, also by keyboard.
func (t Table) html(b *bytes.Buffer, title string, say func(Text) string) {
	fmt.Fprintf(b, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"%s\"><table><thead><tr>", title)
	for _, h := range t.Head {
		fmt.Fprintf(b, "<th scope=\"col\">%s</th>", say(h))
	}
	b.WriteString("</tr></thead>\n<tbody>")
	for _, r := range t.Rows {
		b.WriteString("<tr>")
		for i, c := range r {
			cell, text := "<td>%s</td>", say(c)
			if i == 0 {
				cell = "<th scope=\"row\">%s</th>"
			} else if _, wrapped := c.(Wrapped); wrapped || len(text) > longText {
				cell = "<td class=\"text\">%s</td>"
			}
			fmt.Fprintf(b, cell, text)
		}
		b.WriteString("</tr>\n")
	}
	b.WriteString("</tbody></table></div>\n")
}
