package analysis

import (
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
func (c *Cell) sessionDoubt(metric, title string) msg.Message {
	v, err := c.Spread(metric)
	if err != nil || v.Between <= v.Within {
		return msg.Message{}
	}
	return msg.T("doubt.sessions", c.Name, title)
}
