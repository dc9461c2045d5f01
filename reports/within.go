package reports

import (
	"slices"

	"lab/reports/analysis"
	"lab/reports/msg"
	"lab/reports/page"
)

// withinHeads are the headings of what an instance is found to run within.
var withinHeads = []struct{ name, head string }{
	{"kernel", "within.kernel"}, {"namespaces", "within.namespaces"}, {"mounts", "within.mounts"}, {"cgroup", "within.cgroup"},
	{"limits", "within.limits"}, {"seccomp", "within.seccomp"}, {"capabilities", "within.capabilities"}, {"network", "within.network"},
}

// within is the table of what isn't equal in the rows of a run: what each was timed as,
// what its instances run within, and how it was configured. What differs from the first
// row that was looked at is bold. A run whose trials didn't look has none.
func within(p *page.Page, a *analysis.Analysis) {
	if !slices.ContainsFunc(a.Cells, func(c *analysis.Cell) bool { return c.Within != nil }) {
		return
	}
	p.Section(msg.T("within.title"))
	p.Text(msg.T("within.how"))
	t := page.Table{Head: []page.Text{msg.T("head.environment"), msg.T("within.timed")}, Align: "l"}
	for _, x := range withinHeads {
		t.Head = append(t.Head, msg.T(x.head))
	}
	t.Head = append(t.Head, msg.T("within.versions"), msg.T("within.settings"))
	for range t.Head[1:] {
		t.Align += "l"
	}
	var first []string
	for _, c := range a.Cells {
		if c.Within == nil {
			continue
		}
		timed := msg.T("within.process")
		if c.Whole {
			timed = msg.T("within.command")
		}
		values := []page.Text{timed}
		for _, x := range withinHeads {
			values = append(values, page.Text(c.Within[x.name]))
		}
		row := []page.Text{c.Name}
		for i, v := range values {
			text := msg.English().Text(v)
			if i == len(first) { // of the first row
				first = append(first, text)
			}
			if text != "" && text != first[i] {
				v = msg.T("bold", v)
			}
			row = append(row, v)
		}
		row = append(row, pairs(a.Run.Manifest.Environment(c.Env).Versions), pairs(c.Settings))
		t.Rows = append(t.Rows, row)
	}
	p.Table(t)
}

// pairs are names with their values, in one text.
func pairs(of map[string]string) msg.Message {
	return msg.Join("join.comma", msg.All(msg.Pairs(of))...)
}
