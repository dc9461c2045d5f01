package reports

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"lab/bench/results"
	"lab/bench/stats"
)

// A pair is one comparison that the report makes: a row with another one, in a
// metric.
type pair struct {
	row, to *cell
	metric  string
}

// families finds all comparisons that the report makes. Those of one metric answer
// one question, and are a family: the rows with their baseline, and whatever else
// a finding or a figure sets a row against. What ran under TCG has no verdict, and
// is in none.
func (a *analysis) families() {
	seen := map[pair]bool{}
	a.family = map[string]int{}
	add := func(c, to *cell, metric string) {
		p := pair{c, to, metric}
		if to == nil || to == c || c.tcg || to.tcg || seen[p] || c.samples[metric] == nil || to.samples[metric] == nil {
			return
		}
		seen[p] = true
		a.pairs = append(a.pairs, p)
		a.family[metric]++
	}
	for _, c := range a.cells {
		for _, m := range a.metrics {
			add(c, c.base, m.Name)
		}
	}
	for _, f := range a.run.Manifest.Findings {
		if f.To == "" || f.Compare != "ratio" && f.Compare != "difference" {
			continue
		}
		of, _ := a.find(f.Of, f.OfVariant)
		for _, c := range of {
			if len(f.OfExcept) == 0 || !includes(c.Settings, f.OfExcept) {
				to, _ := a.opposite(f, c)
				add(c, to, f.Metric)
			}
		}
	}
	for _, f := range a.run.Manifest.Figures {
		if f.Kind != kindRatios || f.To == "" {
			continue
		}
		for _, c := range a.cells {
			for _, name := range f.Metrics {
				add(c, a.figureBase(f, c), name)
			}
		}
	}
}

// versus compares two rows in a metric, as one of the metric's family. Every place
// that says something of the two takes it from here. It is nil where one has no
// values.
func (a *analysis) versus(c, to *cell, metric string) *stats.Comparison {
	p := pair{c, to, metric}
	if k, ok := a.compared[p]; ok {
		return k
	}
	var k *stats.Comparison
	if x, y := c.samples[metric], to.samples[metric]; x != nil && y != nil {
		if got, err := stats.Compare(x.values, y.values, a.family[metric]); err == nil {
			k = &got
		}
	}
	if a.compared == nil {
		a.compared = map[pair]*stats.Comparison{}
	}
	a.compared[p] = k
	return k
}

// joint says what the intervals of a metric's comparisons are called, and why.
func (a *analysis) joint(metric string) (name, why string) {
	k := max(a.family[metric], 1)
	name = intervalName(1 - stats.Alpha/float64(k))
	if k > 1 {
		why = fmt.Sprintf("The intervals of the %d comparisons hold together with 95 %%: each has %s.", k, strings.TrimSuffix(name, " interval"))
	}
	return name, why
}

// familySizes lists them: ", here k = 3".
func (a *analysis) familySizes() string {
	var sizes []string
	for _, k := range slices.Compact(slices.Sorted(maps.Values(a.family))) {
		sizes = append(sizes, strconv.Itoa(k))
	}
	if sizes == nil {
		return ""
	}
	return ", here k = " + strings.Join(sizes, ", ")
}

// TooFew says what a planned run can't tell, before it is made: which rows have
// too few trials for any verdict, however large the difference, and how many would
// do. times is how often the whole plan is carried out.
func TooFew(m results.Manifest, times int) []string {
	a := &analysis{run: &results.Run{Manifest: m}}
	a.sort()
	var names []string
	name := func(s string) {
		if s != "" && !slices.Contains(names, s) {
			names = append(names, s)
			a.metrics = append(a.metrics, results.Metric{Name: s})
		}
	}
	for _, x := range m.Metrics {
		name(x.Name)
	}
	for _, f := range m.Findings {
		name(f.Metric)
	}
	for _, f := range m.Figures {
		for _, x := range f.Metrics {
			name(x)
		}
	}
	for _, c := range a.cells {
		if c.NotRun != nil {
			continue
		}
		c.trials = make([]trial, c.Trials*max(times, 1))
		for _, x := range names {
			c.samples[x] = &sample{values: make([]float64, len(c.trials))}
		}
	}
	a.bases()
	a.families()
	needs := map[*cell]int{}
	need := func(c *cell, n int) { needs[c] = max(needs[c], n) }
	for _, c := range a.cells {
		if c.NotRun == nil && len(c.trials) < stats.MinInterval {
			need(c, stats.MinInterval)
		}
	}
	for _, p := range a.pairs {
		n, m, k := len(p.row.trials), len(p.to.trials), a.family[p.metric]
		if enough := stats.Needed(k); !stats.CanTell(n, m, k) {
			for _, c := range []*cell{p.row, p.to} {
				if len(c.trials) < enough {
					need(c, enough)
				}
			}
		}
	}
	var out []string
	for _, c := range a.cells {
		if n := needs[c]; n > 0 {
			out = append(out, fmt.Sprintf("%s: %s can't tell a difference, however large: %d would", c.Cell.Label(), plural(len(c.trials), "trial"), n))
		}
	}
	return out
}

// figureBase is what a figure sets a cell beside, or nil.
func (a *analysis) figureBase(f results.Figure, c *cell) *cell {
	if f.To == "" {
		return c.base
	}
	if found, _ := a.find(f.To, f.ToVariant); len(found) > 0 && found[0] != c {
		return found[0]
	}
	return nil
}

// figureBaseName is what the figure calls it.
func (a *analysis) figureBaseName(f results.Figure) string {
	if f.To == "" {
		return a.baseName()
	}
	return results.Label(f.To, f.ToVariant, 1)
}

// Kinds of figures that are known here. Others are left out, and report.md
// says so: an older lab may read a newer one's folder.
const (
	kindDistribution = "distribution"
	kindPhases       = "phases"
	kindRatios       = "ratios"
	kindPanels       = "panels"
	kindSlopes       = "slopes"
)
