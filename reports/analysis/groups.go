package analysis

import (
	"fmt"

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

// InGroups words them: "in two groups, around 14.0 µs (12 trials) and 62.1 µs (8 trials)".
func (s *Sample) InGroups(unit string) string {
	say := func(g []float64) string {
		return fmt.Sprintf("%s (%s)", msg.Quantity(stats.Median(g), unit), msg.Plural(len(g), "trial"))
	}
	return "in two groups, around " + say(s.Groups[0]) + " and " + say(s.Groups[1])
}

// GroupsNote says of which rows one median describes badly what is said, or "".
func GroupsNote(metric string, rests ...*Cell) string {
	var who []string
	for _, c := range rests {
		if c.Samples[metric].Grouped() {
			who = append(who, c.Name)
		}
	}
	if who == nil {
		return ""
	}
	return "the trials of " + msg.Listed(who) + " come in two groups, which one median describes badly"
}
