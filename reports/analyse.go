package reports

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"lab/bench/results"
	"lab/bench/stats"
)

// An analysis is a run with all that was computed from it.
type analysis struct {
	run         *results.Run
	cells       []*cell          // in the manifest's order, not-run ones included
	metrics     []results.Metric // those that have values, the headline first
	firstIsBase bool             // the run has no host, or nothing else
	family      map[string]int   // by metric: how many comparisons answer one question
	pairs       []pair           // these comparisons
	compared    map[pair]*stats.Comparison
	verdicts    []verdict
}

// analyse computes everything that the writers lay out.
func analyse(run *results.Run) *analysis {
	a := &analysis{run: run}
	a.sort()
	a.bases()
	a.findMetrics()
	for _, c := range a.cells {
		for _, m := range a.metrics {
			if s := newSample(c, m.Name); s != nil {
				c.samples[m.Name] = s
			}
		}
	}
	a.families()
	for _, p := range a.pairs {
		if p.to == p.row.base {
			p.row.samples[p.metric].against = a.versus(p.row, p.to, p.metric)
		}
	}
	for _, f := range run.Manifest.Findings {
		a.verdicts = append(a.verdicts, a.judge(f)...)
	}
	return a
}

// sort puts the lines into trials, and these into cells.
func (a *analysis) sort() {
	byKey := map[string]*cell{}
	key := func(env string, variant map[string]string, n int) string {
		return results.Label(env, variant, max(n, 1))
	}
	for _, c := range a.run.Manifest.Cells {
		x := newCell(c)
		x.unreal = a.run.Machine.Emulated && c.Settings["accel"] != ""
		if c.NotRun == nil && c.Settings["accel"] == "kvm" && a.run.Machine.Acceleration.Use == "tcg" {
			x.label += ", " + unfitMark
		}
		a.cells = append(a.cells, x)
		byKey[key(c.Env, c.Variant, c.N)] = x
	}
	type place struct {
		cell         *cell
		block, trial int
	}
	at := map[place]int{}
	values := map[place]map[string][]float64{}
	for _, l := range a.run.Lines {
		c := byKey[key(l.Env, l.Variant, l.N)]
		if c == nil { // a folder put together by hand
			c = newCell(results.Cell{Env: l.Env, Variant: l.Variant, N: l.N})
			a.cells = append(a.cells, c)
			byKey[key(l.Env, l.Variant, l.N)] = c
		}
		p := place{c, l.Block, l.Trial}
		i, ok := at[p]
		if !ok {
			i = len(c.trials)
			at[p] = i
			values[p] = map[string][]float64{}
			c.trials = append(c.trials, trial{number: l.Trial, block: l.Block, session: l.Session, warmup: l.Warmup, again: l.Repeated,
				values: map[string]float64{}, parts: map[string]map[string]float64{}})
		}
		t := &c.trials[i]
		if l.Err != "" {
			t.err, t.blame = l.Err, l.Blame
		}
		for _, taint := range l.Taint {
			if !slices.Contains(t.taint, taint) {
				t.taint = append(t.taint, taint)
			}
		}
		switch {
		case l.Value == nil || l.Metric == "":
			if l.Text != "" {
				c.texts[metricName(l.Metric, l.Stat)] = l.Text
			}
		case l.PartOf != "":
			if t.parts[l.PartOf] == nil {
				t.parts[l.PartOf] = map[string]float64{}
			}
			t.parts[l.PartOf][l.Metric] += *l.Value
			if c.seqs[l.PartOf] == nil {
				c.seqs[l.PartOf] = map[string]int{}
			}
			if _, ok := c.seqs[l.PartOf][l.Metric]; !ok {
				c.seqs[l.PartOf][l.Metric] = l.Seq
			}
		default:
			name := metricName(l.Metric, l.Stat)
			values[p][name] = append(values[p][name], *l.Value)
		}
	}
	// One value a trial: several instances or observations of one trial
	// aren't independent, and would make every interval too narrow.
	for p, byMetric := range values {
		for name, vs := range byMetric {
			p.cell.trials[at[p]].values[name] = stats.Median(vs)
		}
	}
	hues := map[string]int{}
	for _, c := range a.cells {
		if len(c.trials) > 0 {
			c.NotRun = nil
		}
		label := results.Label(c.Env, c.Variant, 1)
		if _, ok := hues[label]; !ok {
			hues[label] = len(hues)
		}
		c.hue = hues[label]
	}
}

// metricName tells a latency's p50 from its p99.
func metricName(metric, stat string) string {
	if stat == "" {
		return metric
	}
	return metric + " " + stat
}

// percentile is how a line's stat names one: p50, p99, p99.9.
var percentile = regexp.MustCompile(`^p[0-9.]+$`)

// findMetrics lists the metrics that have values: the manifest's in its
// order, then others as they come.
func (a *analysis) findMetrics() {
	first := map[string]results.Metric{}
	stat := map[string]results.Line{} // those that are a statistic
	var order []string
	for _, l := range a.run.Lines {
		if l.Value == nil || l.PartOf != "" || l.Metric == "" {
			continue
		}
		name := metricName(l.Metric, l.Stat)
		if _, ok := first[name]; ok {
			continue
		}
		m := results.Metric{Name: name, Title: name, Unit: l.Unit, Better: l.Better}
		if d, ok := a.described(l.Metric); ok {
			d.Name, d.Title = name, strings.TrimSpace(cmp.Or(d.Title, l.Metric)+" "+l.Stat)
			m = d
		}
		first[name] = m
		order = append(order, name)
		if l.Stat != "" {
			stat[name] = l
		}
	}
	for name, l := range stat {
		if of, ok := first[l.Metric]; ok && percentile.MatchString(l.Stat) {
			m := first[name]
			m.Help = tailHelp(l.Stat, of.Title)
			first[name] = m
		}
	}
	for _, m := range a.run.Manifest.Metrics {
		for _, name := range order {
			if name == m.Name || strings.HasPrefix(name, m.Name+" ") {
				if f, ok := first[name]; ok {
					a.metrics = append(a.metrics, f)
					delete(first, name)
				}
			}
		}
	}
	for _, name := range order {
		if f, ok := first[name]; ok {
			a.metrics = append(a.metrics, f)
		}
	}
}

// tailHelp says what a percentile is of a metric whose plain value is the median
// of the same observations: that one's own help speaks of the median.
func tailHelp(stat, of string) string {
	return fmt.Sprintf("What %s %% of a trial's observations stay below. “%s” is the median of the same ones; samples/ has them all.", strings.TrimPrefix(stat, "p"), of)
}

// described finds a metric, or a part, in the manifest.
func (a *analysis) described(name string) (results.Metric, bool) {
	for _, m := range a.run.Manifest.Metrics {
		if m.Name == name {
			return m, true
		}
	}
	return results.Metric{}, false
}

// metric finds a metric that has values.
func (a *analysis) metric(name string) (results.Metric, bool) {
	for _, m := range a.metrics {
		if m.Name == name {
			return m, true
		}
	}
	return results.Metric{}, false
}

func newSample(c *cell, metric string) *sample {
	s := &sample{}
	for _, t := range c.trials {
		if v, ok := t.values[metric]; ok && t.counts() {
			s.values = append(s.values, v)
		}
	}
	iv, err := stats.MedianInterval(s.values)
	if err != nil {
		return nil
	}
	s.median = iv
	s.doubts = append(s.doubts, iv.Warnings...)
	if trend, err := stats.MannKendall(s.values); err == nil && trend.Drifts() {
		s.doubts = append(s.doubts, trend.String())
	}
	if many, err := stats.ManyHumps(s.values); err == nil && many {
		s.groups[0], s.groups[1] = stats.TwoGroups(s.values)
		s.doubts = append(s.doubts, "values come in more than one group (dip test at 1 %), which one median describes badly: see the plot")
	}
	return s
}

// anyTCG reports whether a guest of the run was emulated.
func (a *analysis) anyTCG() bool {
	return slices.ContainsFunc(a.cells, func(c *cell) bool { return c.tcg })
}
