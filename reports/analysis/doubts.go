package analysis

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"lab/bench/results"
	"lab/reports/msg"
)

// Doubts are what a reader must know before quoting a number: failures,
// disturbances, drifts, samples too small, trials lost.
func (a *Analysis) Doubts() []string { return a.Caveats(true) }

// Caveats are those that speak against a figure, and where quiet is given that nothing
// was disturbed.
func (a *Analysis) Caveats(quiet bool) []string {
	var out []string
	taints := map[string]int{}
	disturbed, counted := 0, 0
	for _, c := range a.Cells {
		if n := c.Failures(); n > 0 {
			out = append(out, fmt.Sprintf("%s: %d of %s failed; the last said: %s",
				c.Name, n, msg.Plural(n+c.Counted(), "trial"), msg.Shortened(c.lastError())))
		}
		counted += c.Counted()
		disturbed += c.Disturbed()
		for _, t := range c.Made {
			if t.Counts() {
				for _, name := range t.Taint {
					taints[name]++
				}
			}
		}
	}
	if text := BoundsOf(a.Run.Machine); text != "" {
		out = append(out, "Limits around the lab bound every row alike: "+text+".")
	}
	if k := a.Run.Machine; len(k.Inherited) > 0 {
		out = append(out, "What started the lab handed this on to every row: "+strings.Join(msg.Pairs(k.Inherited), ", ")+".")
	}
	if w := a.Run.Manifest.Work; w == "tmpfs" || w == "ramfs" {
		out = append(out, "What instances wrote lay on a "+w+", which is RAM: no figure here is a disk's. Another folder: `--work DIR`.")
	}
	if disturbed > 0 {
		var kinds []string
		for _, name := range slices.Sorted(maps.Keys(taints)) {
			kinds = append(kinds, fmt.Sprintf("%s %d", name, taints[name]))
		}
		out = append(out, fmt.Sprintf("This machine wasn't quiet: %s (%s). They are counted, and drawn hollow.",
			disturbedOf(disturbed, counted), strings.Join(kinds, ", ")))
	} else if quiet && counted > 0 {
		out = append(out, fmt.Sprintf("None of the %s was marked as disturbed.", msg.Plural(counted, "trial")))
	}
	for _, c := range a.Cells {
		if len(a.Metrics) > 0 {
			if s := c.sessionDoubt(a.Metrics[0].Name, a.Metrics[0].Title); s != "" {
				out = append(out, s+".")
			}
		}
		out = append(out, a.doubtsOf(c)...)
		if b := a.Breakdown(c, a.wholeOf(c)); b != nil && b.Apart() {
			out = append(out, fmt.Sprintf("%s: the medians of its parts add up to %s of the median of the whole, as medians may where trials differ.", c.Name, msg.Percent(b.Sum/b.Whole)))
		}
	}
	if a.Run.Dropped > 0 {
		out = append(out, fmt.Sprintf("%s not written to their end, and left out.", msg.WasWere(a.Run.Dropped, "trial")))
	}
	return out
}

// manyPids is more than any run needs: systemd limits every service and session to
// some such number.
const manyPids = 1000

// BoundsOf lists the limits that bound the whole lab.
func BoundsOf(k results.Machine) string {
	var out []string
	for _, b := range k.Limits {
		if b.What == "pids" && b.Value > manyPids {
			continue
		}
		text := b.What + " " + msg.OneLine(b.Text)
		switch {
		case b.Above == 1:
			text += " (one cgroup above the lab's)"
		case b.Above > 1:
			text += fmt.Sprintf(" (%d cgroups above the lab's)", b.Above)
		}
		if b.Copied {
			text += " (copied to the run's cgroups)"
		}
		out = append(out, text)
	}
	return strings.Join(out, "; ")
}

// doubtsOf are those about a cell's metrics. One that many of them share is said
// once.
func (a *Analysis) doubtsOf(c *Cell) (out []string) {
	const many = 3
	about := map[string][]string{}
	var order []string
	for _, m := range a.Metrics {
		if s := c.Samples[m.Name]; s != nil {
			for _, d := range s.Doubts {
				if about[d] == nil {
					order = append(order, d)
				}
				about[d] = append(about[d], msg.Lower(m.Title))
			}
		}
	}
	for _, d := range order {
		if n := len(about[d]); n > many {
			out = append(out, fmt.Sprintf("%s, %d metrics: %s.", c.Name, n, d))
			continue
		}
		for _, title := range about[d] {
			out = append(out, fmt.Sprintf("%s, %s: %s.", c.Name, title, d))
		}
	}
	return out
}

// wholeOf is the metric that a cell's phases belong to, or "".
func (a *Analysis) wholeOf(c *Cell) string {
	for _, m := range a.Metrics {
		for _, t := range c.Made {
			if len(t.parts[m.Name]) > 0 {
				return m.Name
			}
		}
	}
	return ""
}
