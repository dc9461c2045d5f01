package reports

import (
	"fmt"

	"lab/bench/stats"
)

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

// sessionDoubt says where sessions differ more than trials within one.
func (c *cell) sessionDoubt(metric, title string) string {
	v, err := c.spread(metric)
	if err != nil || v.Between <= v.Within {
		return ""
	}
	return fmt.Sprintf("%s: sessions differ more than the trials within one (%s): its interval is too narrow", c.label, lower(title))
}
