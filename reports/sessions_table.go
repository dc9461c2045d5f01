package reports

import (
	"fmt"
	"strings"

	"lab/reports/msg"
)

// sessions is the table of the headline metric by session.
func (d *document) sessions() {
	x := d.a.Run.Manifest.Asked
	if x == nil || x.Sessions < 2 || len(d.a.Metrics) == 0 {
		return
	}
	m := d.a.Metrics[0]
	d.line("## Between sessions")
	d.line("The whole set was made %d times, each in a new testbed. For %s: each session's median, and by how much sessions differ from one another, "+
		"and trials within one (standard deviations, by an analysis of variance). All intervals on this page take trials for independent: "+
		"where sessions differ more than trials do, they are too narrow.", x.Sessions, escape(msg.Lower(m.Title)))
	d.b.WriteString("| environment | medians of the sessions | between sessions | within one |\n|:---|:---|---:|---:|\n")
	for _, c := range d.a.Cells {
		v, err := c.Spread(m.Name)
		if err != nil {
			if c.NotRun == nil {
				fmt.Fprintf(&d.b, "| %s | too few trials in a session | | |\n", escape(c.Name))
			}
			continue
		}
		var medians []string
		u := msg.ScaleFor(v.Medians[0], m.Unit)
		for _, x := range v.Medians {
			medians = append(medians, u.In(x))
		}
		fmt.Fprintf(&d.b, "| %s | %s | %s | %s |\n", escape(c.Name), u.Join(strings.Join(medians, ", ")), u.With(v.Between), u.With(v.Within))
	}
	d.b.WriteByte('\n')
}
