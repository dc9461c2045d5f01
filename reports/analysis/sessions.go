package analysis

import (
	"fmt"

	"lab/bench/stats"
	"lab/reports/msg"
)

// Spread takes a cell's values of a metric apart by session.
func (c *Cell) Spread(metric string) (stats.Spread, error) {
	var groups [][]float64
	for _, t := range c.Made {
		v, ok := t.Values[metric]
		if !ok || !t.Counts() || t.session < 1 {
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
func (c *Cell) sessionDoubt(metric, title string) string {
	v, err := c.Spread(metric)
	if err != nil || v.Between <= v.Within {
		return ""
	}
	return fmt.Sprintf("%s: sessions differ more than the trials within one (%s): its interval is too narrow", c.Name, msg.Lower(title))
}
