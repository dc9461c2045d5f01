package reports

import (
	"fmt"
	"strings"
)

// sessions is the table of the headline metric by session.
func (d *document) sessions() {
	x := d.a.run.Manifest.Asked
	if x == nil || x.Sessions < 2 || len(d.a.metrics) == 0 {
		return
	}
	m := d.a.metrics[0]
	d.line("## Between sessions")
	d.line("The whole set was made %d times, each in a new testbed. For %s: each session's median, and by how much sessions differ from one another, "+
		"and trials within one (standard deviations, by an analysis of variance). All intervals on this page take trials for independent: "+
		"where sessions differ more than trials do, they are too narrow.", x.Sessions, escape(lower(m.Title)))
	d.b.WriteString("| environment | medians of the sessions | between sessions | within one |\n|:---|:---|---:|---:|\n")
	for _, c := range d.a.cells {
		v, err := c.spread(m.Name)
		if err != nil {
			if c.NotRun == nil {
				fmt.Fprintf(&d.b, "| %s | too few trials in a session | | |\n", escape(c.label))
			}
			continue
		}
		var medians []string
		u := scaleFor(v.Medians[0], m.Unit)
		for _, x := range v.Medians {
			medians = append(medians, u.in(x))
		}
		fmt.Fprintf(&d.b, "| %s | %s | %s | %s |\n", escape(c.label), u.join(strings.Join(medians, ", ")), u.with(v.Between), u.with(v.Within))
	}
	d.b.WriteByte('\n')
}
