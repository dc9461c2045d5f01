package page

import (
	"bytes"
	"fmt"
	"strings"

	"lab/bench/clean"
	"lab/reports/msg"
)

// markdown is text in which nothing from outside is Markdown.
var markdown = msg.Markup{Words: func(s string) string { return s }, Escape: clean.Markdown}

// Markdown is the page as Markdown.
func (p *Page) Markdown(l *msg.Language) []byte {
	var b bytes.Buffer
	say := func(t Text) string { return flat(l, t, markdown) }
	for i, x := range p.blocks {
		switch x.kind {
		case heading:
			fmt.Fprintf(&b, "%s %s\n\n", strings.Repeat("#", x.level), say(x.text))
		case banner:
			fmt.Fprintf(&b, "> **%s**\n\n", say(x.text))
		case paragraph:
			fmt.Fprintf(&b, "%s\n\n", say(x.text))
		case list:
			for _, t := range x.more {
				fmt.Fprintf(&b, "- %s\n", say(t))
			}
			b.WriteByte('\n')
		case table:
			x.tables[0].markdown(&b, say)
		case picture:
			name := x.lines[0]
			fmt.Fprintf(&b, "![%s](%s.png)\n\n**%s.** ", say(x.text), name, say(x.text))
			if c := say(x.more[0]); c != "" {
				b.WriteString(c + " ")
			}
			fmt.Fprintf(&b, "([%s](%s.svg), [%s](%[2]s.pdf))\n\n", say(msg.T("picture.as", "SVG")), name, say(msg.T("picture.as", "PDF")))
		case code:
			b.WriteString("```\n")
			for _, line := range x.lines {
				b.WriteString(strings.ReplaceAll(clean.Line(line), "```", "") + "\n") // which no line can end
			}
			b.WriteString("```\n\n")
		case mark:
			fmt.Fprintf(&b, "- **%s** %s\n", say(x.text), say(Lines(x.more)))
			if i+1 == len(p.blocks) || p.blocks[i+1].kind != mark {
				b.WriteByte('\n')
			}
		}
	}
	return append(bytes.TrimRight(b.Bytes(), "\n"), '\n')
}

func (t Table) markdown(b *bytes.Buffer, say func(Text) string) {
	line := func(row []Text) {
		for _, c := range row {
			b.WriteString("| ")
			if s := say(c); s != "" {
				b.WriteString(s + " ")
			}
		}
		b.WriteString("|\n")
	}
	line(t.Head)
	for i := range t.Head {
		b.WriteString(map[bool]string{true: "|:---", false: "|---:"}[t.left(i)])
	}
	b.WriteString("|\n")
	for _, r := range t.Rows {
		line(r)
	}
	b.WriteByte('\n')
}

// left reports whether a column is aligned to the left.
func (t Table) left(column int) bool {
	return column == 0 || column < len(t.Align) && t.Align[column] == 'l'
}
