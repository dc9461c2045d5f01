package reports

import (
	"fmt"
	"strings"

	"lab/bench/stats"
)

// SummarySpread is how far sessions lie apart, and trials within one: standard
// deviations in the metric's unit.
type SummarySpread struct {
	Medians []float64 `json:"medians"` // of each session, in their order
	Between float64   `json:"between"`
	Within  float64   `json:"within"`
}

// spread takes a cell's values of a metric apart by session.
func (c *cell) spread(metric string) (stats.Spread, error) {
	var groups [][]float64
	for _, t := range c.trials {
		v, ok := t.values[metric]
		if !ok || !t.counts() || t.session < 1 {
			continue
		}
		for len(groups) < t.session {
			groups = append(groups, nil)
		}
		groups[t.session-1] = append(groups[t.session-1], v)
	}
	return stats.SpreadOf(groups)
}

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

// sessionDoubt says where sessions differ more than trials within one.
func (c *cell) sessionDoubt(metric, title string) string {
	v, err := c.spread(metric)
	if err != nil || v.Between <= v.Within {
		return ""
	}
	return fmt.Sprintf("%s: sessions differ more than the trials within one (%s): its interval is too narrow", c.label, lower(title))
}
