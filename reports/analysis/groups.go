package analysis

import (
	"lab/bench/stats"
	"lab/reports/msg"
)

// Grouped reports whether the values come in more than one group, which one median
// describes badly.
func (s *Sample) Grouped() bool { return s != nil && s.Groups[1] != nil }

// Middles are what marks a sample in a plot: its median, or the groups'.
func (s *Sample) Middles() []float64 {
	if !s.Grouped() {
		return []float64{s.Median.Point}
	}
	return []float64{stats.Median(s.Groups[0]), stats.Median(s.Groups[1])}
}

// InGroups is where the two groups' medians are, and how many trials each has.
func (s *Sample) InGroups(unit string) msg.Message {
	q := func(g []float64) string { return msg.Quantity(stats.Median(g), unit) }
	return msg.T("groups.two", q(s.Groups[0]), msg.T("trials", len(s.Groups[0])), q(s.Groups[1]), msg.T("trials", len(s.Groups[1])))
}

// GroupsNote says of which rows one median is a bad description, or nothing.
func GroupsNote(metric string, rests ...*Cell) msg.Message {
	var who []msg.Message
	for _, c := range rests {
		if c.Samples[metric].Grouped() {
			who = append(who, c.Name)
		}
	}
	if who == nil {
		return msg.Message{}
	}
	return msg.T("groups.note", msg.And(who...))
}
