package reports

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"lab/bench/results"
)

// doubts are what a reader must know before quoting a number: failures,
// disturbances, drifts, samples too small, trials lost.
func (a *analysis) doubts() []string { return a.caveats(true) }

// caveats are those that speak against a figure, and where quiet is given that nothing
// was disturbed.
func (a *analysis) caveats(quiet bool) []string {
	var out []string
	taints := map[string]int{}
	disturbed, counted := 0, 0
	for _, c := range a.cells {
		if n := c.failures(); n > 0 {
			out = append(out, fmt.Sprintf("%s: %d of %s failed; the last said: %s",
				c.label, n, plural(n+c.counted(), "trial"), shortened(c.lastError())))
		}
		counted += c.counted()
		disturbed += c.disturbed()
		for _, t := range c.trials {
			if t.counts() {
				for _, name := range t.taint {
					taints[name]++
				}
			}
		}
	}
	if text := boundsOf(a.run.Machine); text != "" {
		out = append(out, "Limits around the lab bound every row alike: "+text+".")
	}
	if k := a.run.Machine; len(k.Inherited) > 0 {
		out = append(out, "What started the lab handed this on to every row: "+strings.Join(pairs(k.Inherited), ", ")+".")
	}
	if w := a.run.Manifest.Work; w == "tmpfs" || w == "ramfs" {
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
		out = append(out, fmt.Sprintf("None of the %s was marked as disturbed.", plural(counted, "trial")))
	}
	for _, c := range a.cells {
		if len(a.metrics) > 0 {
			if s := c.sessionDoubt(a.metrics[0].Name, a.metrics[0].Title); s != "" {
				out = append(out, s+".")
			}
		}
		out = append(out, a.doubtsOf(c)...)
		if b := a.breakdown(c, a.wholeOf(c)); b != nil && b.apart() {
			out = append(out, fmt.Sprintf("%s: the medians of its parts add up to %s of the median of the whole, as medians may where trials differ.", c.label, percent(b.sum/b.whole)))
		}
	}
	if a.run.Dropped > 0 {
		out = append(out, fmt.Sprintf("%s not written to their end, and left out.", wasWere(a.run.Dropped, "trial")))
	}
	return out
}

// manyPids is more than any run needs: systemd limits every service and session to
// some such number.
const manyPids = 1000

// boundsOf lists the limits that bound the whole lab.
func boundsOf(k results.Machine) string {
	var out []string
	for _, b := range k.Limits {
		if b.What == "pids" && b.Value > manyPids {
			continue
		}
		text := b.What + " " + oneLine(b.Text)
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
func (a *analysis) doubtsOf(c *cell) (out []string) {
	const many = 3
	about := map[string][]string{}
	var order []string
	for _, m := range a.metrics {
		if s := c.samples[m.Name]; s != nil {
			for _, d := range s.doubts {
				if about[d] == nil {
					order = append(order, d)
				}
				about[d] = append(about[d], lower(m.Title))
			}
		}
	}
	for _, d := range order {
		if n := len(about[d]); n > many {
			out = append(out, fmt.Sprintf("%s, %d metrics: %s.", c.label, n, d))
			continue
		}
		for _, title := range about[d] {
			out = append(out, fmt.Sprintf("%s, %s: %s.", c.label, title, d))
		}
	}
	return out
}

// wholeOf is the metric that a cell's phases belong to, or "".
func (a *analysis) wholeOf(c *cell) string {
	for _, m := range a.metrics {
		for _, t := range c.trials {
			if len(t.parts[m.Name]) > 0 {
				return m.Name
			}
		}
	}
	return ""
}
