package page

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"lab/reports/msg"
)

// evil is what another person's folder may say.
const evil = "<b>*x*</b>|`y`"

// whole has each kind of block.
func whole() *Page {
	p := &Page{}
	p.Title("Title")
	p.Banner("first")
	p.Section(msg.T("bold", "part"))
	p.Subsection("smaller")
	p.Text(evil)
	p.List("one", msg.T("bold", 2))
	p.Table(Table{Head: []Text{"name", "value", "ends"}, Rows: [][]Text{{"a", 1, "0 to 2"}}},
		Table{Head: []Text{"name", Lines{"value,", "ends"}}, Rows: [][]Text{{Wrapped{"a long one", 6}, Lines{1, "0 to 2"}}}})
	p.Picture("p", "Picture", nil)
	p.Code("lab  run", "```")
	p.Gap()
	p.Mark(Green, "+", "a statement that is long", "9 ms")
	p.Mark(Red, "x:", "why")
	return p
}

// Each backend writes each kind of block, and nothing from outside as markup.
func TestBackends(t *testing.T) {
	l := msg.English()
	wide, narrow := &bytes.Buffer{}, &bytes.Buffer{}
	for b, o := range map[*bytes.Buffer]Options{wide: {Width: 60}, narrow: {Width: 20, Color: true}} {
		if err := whole().Terminal(b, o); err != nil {
			t.Fatal(err)
		}
	}
	for name, x := range map[string]struct {
		got  string
		want []string
	}{
		"Markdown": {string(whole().Markdown(l)), []string{"# Title\n", "> **first**\n", "## **part**\n", "### smaller\n", `\<b>\*x\*\</b>\|'y'`, "- one\n- **2**\n",
			"| name | value | ends |\n|:---|---:|---:|\n| a | 1 | 0 to 2 |\n", "![Picture](plots/p.png)", "```\nlab  run\n\n```\n", "- **\\+** a statement that is long 9 ms\n- **x:** why\n"}},
		"HTML": {string(whole().HTML(l)), []string{"<h2>Title</h2>", "<h3><b>part</b></h3>", "&lt;b&gt;&#42;x&#42;&lt;/b&gt;|&#96;y&#96;", "<li><b>2</b></li>",
			`<th scope="row">a</th><td>1</td>`, `<img src="plots/p.svg" alt="Picture">`, "<pre>lab  run", "<p><b>x:</b> why</p>"}},
		"wide":   {wide.String(), []string{"Title\n", "! first\n", "- one\n- 2\n", "name  value    ends", "  lab  run\n", "+ a statement that is long", "9 ms\n", "x: why\n"}},
		"narrow": {narrow.String(), []string{"\x1b[1mTitle\x1b[0m\n", " name    value,", " a long       1\n one     0 to 2\n", "\x1b[32m+\x1b[0m a statement   9 ms\n  that is long\n"}},
	} {
		for _, want := range x.want {
			if !strings.Contains(x.got, want) {
				t.Errorf("%s has no %q:\n%s", name, want, x.got)
			}
		}
	}
}

// What pretends to be a colour takes columns like anything else.
func TestColumnsOfOthers(t *testing.T) {
	p := &Page{}
	p.Text(strings.Repeat("\x1b]0; word ", 40))
	p.Table(Table{Head: []Text{"name", "why"}, Rows: [][]Text{{"\x1b[", Wrapped{strings.Repeat("\x1b", 3) + strings.Repeat(" word", 40), 20}}}})
	var b bytes.Buffer
	if err := p.Terminal(&b, Options{Width: 40}); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if utf8.RuneCountInString(line) > 41 || strings.Contains(line, "\x1b") {
			t.Errorf("%q", line)
		}
	}
}
