package reports

import (
	"fmt"
	"image/color"

	"gonum.org/v1/plot/vg"

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

// listed writes "a, b and c".
func listed(names []string) string {
	text := ""
	for i, n := range names {
		switch {
		case i > 0 && i == len(names)-1:
			text += " and "
		case i > 0:
			text += ", "
		}
		text += n
	}
	return text
}

// middle draws a diamond for a median, and a hollow one for each of two groups'.
// place finds its point, and whether the axis shows it.
func (p *page) middle(c color.Color, s *sample, radius vg.Length, place func(v float64) (x, y vg.Length, ok bool)) {
	for _, v := range s.middles() {
		if x, y, ok := place(v); ok {
			p.diamond(c, x, y, radius)
			if s.grouped() {
				p.diamond(paper, x, y, radius*0.55)
			}
		}
	}
}

// groupKey explains the hollow diamond.
func (k *key) groupKey(radius vg.Length) {
	k.entry("one of two groups' median", func(x, y vg.Length) {
		k.p.diamond(black, x, y, radius)
		k.p.diamond(paper, x, y, radius*0.55)
	})
}
