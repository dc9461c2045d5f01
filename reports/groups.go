package reports

import (
	"fmt"

	"lab/bench/stats"
)

// grouped reports whether the values come in more than one group, which one median
// describes badly.
func (s *sample) grouped() bool { return s != nil && s.groups[1] != nil }

// middles are what marks a sample in a plot: its median, or the groups'.
func (s *sample) middles() []float64 {
	if !s.grouped() {
		return []float64{s.median.Point}
	}
	return []float64{stats.Median(s.groups[0]), stats.Median(s.groups[1])}
}

// inGroups words them: "in two groups, around 14.0 µs (12 trials) and 62.1 µs (8 trials)".
func (s *sample) inGroups(unit string) string {
	say := func(g []float64) string {
		return fmt.Sprintf("%s (%s)", quantity(stats.Median(g), unit), plural(len(g), "trial"))
	}
	return "in two groups, around " + say(s.groups[0]) + " and " + say(s.groups[1])
}

// groupsNote says of which rows one median describes badly what is said, or "".
func groupsNote(metric string, rests ...*cell) string {
	var who []string
	for _, c := range rests {
		if c.samples[metric].grouped() {
			who = append(who, c.label)
		}
	}
	if who == nil {
		return ""
	}
	return "the trials of " + listed(who) + " come in two groups, which one median describes badly"
}
