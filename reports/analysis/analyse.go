package analysis

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"lab/bench/results"
	"lab/bench/stats"
	"lab/reports/msg"
)

// An Analysis is a run with all that was computed from it.
type Analysis struct {
	Run         *results.Run
	Host        string           // a fleet's name of its machine, if the machine's id is several machines'; else nothing
	Cells       []*Cell          // in the manifest's order, not-run ones included
	Metrics     []results.Metric // those that have values, the headline first
	Answers     []results.Metric // those whose values are words, in the manifest's order
	FirstIsBase bool             // the run has no host, or nothing else
	Family      map[string]int   // by metric: how many comparisons answer one question
	Pairs       []Pair           // these comparisons
	compared    map[Pair]*stats.Comparison
	help        map[string]msg.Message // by metric: of those that the manifest doesn't explain
	Verdicts    []Verdict
}

// Of computes everything that the writers lay out.
func Of(run *results.Run) *Analysis {
	a := &Analysis{Run: run, help: map[string]msg.Message{}}
	a.sort()
	a.bases()
	a.findMetrics()
	for _, c := range a.Cells {
		for _, m := range slices.Concat(a.Metrics, a.Answers) {
			if s := newSample(c, m); s != nil {
				c.Samples[m.Name] = s
			}
		}
	}
	a.families()
	for _, p := range a.Pairs {
		if p.To == p.Row.Base {
			p.Row.Samples[p.Metric].Against = a.Versus(p.Row, p.To, p.Metric)
		}
	}
	for _, f := range run.Manifest.Findings {
		a.Verdicts = append(a.Verdicts, a.judge(f)...)
	}
	return a
}

// sort puts the lines into trials, and these into cells.
func (a *Analysis) sort() {
	byKey := map[string]*Cell{}
	key := func(env string, variant map[string]string, n int) string {
		return results.Label(env, variant, max(n, 1))
	}
	starts := slices.ContainsFunc(a.Run.Manifest.Metrics, func(m results.Metric) bool { return m.Start })
	for _, c := range a.Run.Manifest.Cells {
		x := NewCell(c)
		x.unreal = a.Run.Machine.Emulated && c.Settings["accel"] != ""
		if c.NotRun == nil && c.Settings["accel"] == "kvm" && a.Run.Machine.Acceleration.Use == "tcg" {
			x.Name, x.Mark = marked(x.Name, unfitMark), unfitMark
		}
		if x.Whole = a.Run.Manifest.Environment(c.Env).WholeCommand; x.Whole && starts && x.Mark.IsZero() {
			x.Mark = wholeMark
		}
		a.Cells = append(a.Cells, x)
		byKey[key(c.Env, c.Variant, c.N)] = x
	}
	type place struct {
		cell         *Cell
		block, trial int
	}
	at := map[place]int{}
	// Of trials with several values of one name, these.
	type several struct {
		cell  *Cell
		trial int // its place among the cell's
		name  string
	}
	values := map[several][]float64{}
	cells := map[results.CellKey]*Cell{}
	for i := range a.Run.Lines {
		l := &a.Run.Lines[i]
		c := cells[results.KeyOf(l)]
		if c == nil {
			if c = byKey[key(l.Env, l.Variant, l.N)]; c == nil { // a folder put together by hand
				c = NewCell(results.Cell{Env: l.Env, Variant: l.Variant, N: l.N})
				a.Cells = append(a.Cells, c)
				byKey[key(l.Env, l.Variant, l.N)] = c
			}
			cells[results.KeyOf(l)] = c
		}
		p := place{c, l.Block, l.Trial}
		i, ok := at[p]
		if !ok {
			i = len(c.Made)
			at[p] = i
			c.Made = append(c.Made, Trial{Number: l.Trial, block: l.Block, session: l.Session, pair: l.Pair, layout: l.EnvPad + l.ArgvPad, Warmup: l.Warmup, Repeated: l.Repeated,
				Values: map[string]float64{}})
		}
		t := &c.Made[i]
		if l.Err != "" {
			t.err, t.blame = l.Err, l.Blame
		}
		for _, taint := range l.Taint {
			if !slices.Contains(t.Taint, taint) {
				t.Taint = append(t.Taint, taint)
			}
		}
		switch {
		case l.Value == nil || l.Metric == "":
			if l.Text != "" {
				c.texts[metricName(l.Metric, l.Stat)] = l.Text
			}
		case l.PartOf != "":
			if t.parts == nil {
				t.parts = map[string]map[string]float64{}
			}
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
			first, ok := t.Values[name]
			if !ok {
				t.Values[name] = *l.Value
				break
			}
			all := several{c, i, name}
			if values[all] == nil {
				values[all] = []float64{first}
			}
			values[all] = append(values[all], *l.Value)
		}
	}
	// One value a trial: several instances or observations of one trial
	// aren't independent, and would make every interval too narrow.
	for of, vs := range values {
		of.cell.Made[of.trial].Values[of.name] = stats.Median(vs)
	}
	hues, rows := map[string]int{}, map[string][]string{}
	for _, c := range a.Cells {
		if len(c.Made) > 0 {
			c.NotRun = nil
		}
		if _, ok := hues[c.Env]; !ok {
			hues[c.Env] = len(hues)
			if n := a.Run.Manifest.Environment(c.Env).Number; n > 0 {
				hues[c.Env] = n - 1
			}
		}
		label := results.Label(c.Env, c.Variant, 1)
		if !slices.Contains(rows[c.Env], label) {
			rows[c.Env] = append(rows[c.Env], label)
		}
		c.Hue = hues[c.Env]
		c.Shape = c.Hue + slices.Index(rows[c.Env], label)
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
func (a *Analysis) findMetrics() {
	first := map[string]results.Metric{}
	stat := map[string]results.Line{} // those that are a statistic
	var order []string
	for _, l := range a.Run.Lines {
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
			a.help[name] = msg.T("metric.tail", strings.TrimPrefix(l.Stat, "p"), of.Title)
		}
	}
	for _, m := range a.Run.Manifest.Metrics {
		for _, name := range order {
			if name == m.Name || strings.HasPrefix(name, m.Name+" ") {
				if f, ok := first[name]; ok {
					a.Metrics = append(a.Metrics, f)
					delete(first, name)
				}
			}
		}
	}
	for _, name := range order {
		if f, ok := first[name]; ok {
			a.Metrics = append(a.Metrics, f)
		}
	}
	// Answers that a matrix shows are in no table of medians.
	worded := func(m results.Metric) bool {
		return len(m.Words) > 0 && slices.ContainsFunc(a.Run.Manifest.Figures, func(f results.Figure) bool { return f.Kind == KindMatrix && slices.Contains(f.Metrics, m.Name) })
	}
	for _, m := range a.Metrics {
		if worded(m) {
			a.Answers = append(a.Answers, m)
		}
	}
	a.Metrics = slices.DeleteFunc(a.Metrics, worded)
}

// described finds a metric, or a part, in the manifest.
func (a *Analysis) described(name string) (results.Metric, bool) {
	for _, m := range a.Run.Manifest.Metrics {
		if m.Name == name {
			return m, true
		}
	}
	return results.Metric{}, false
}

// Metric finds a metric that has values, or words.
func (a *Analysis) Metric(name string) (results.Metric, bool) {
	for _, m := range slices.Concat(a.Metrics, a.Answers) {
		if m.Name == name {
			return m, true
		}
	}
	return results.Metric{}, false
}

func newSample(c *Cell, m results.Metric) *Sample {
	s, metric := &Sample{}, m.Name
	for _, t := range c.Made {
		if v, ok := t.Values[metric]; ok && t.Counts() {
			s.Values = append(s.Values, v)
		}
	}
	iv, err := stats.MedianInterval(s.Values)
	if err != nil {
		return nil
	}
	s.Median = iv
	if m.Certain() {
		// Of all values: an interval of the median leaves out those at its ends.
		lo, hi := slices.Min(s.Values), slices.Max(s.Values)
		switch {
		case lo != hi:
			s.Median = stats.Interval{Point: iv.Point, Lo: lo, Hi: hi, Method: stats.Range, N: iv.N}
		case iv.N > 1:
			s.Median.Method = stats.Agreed
		}
		return s
	}
	if !iv.Known() {
		s.Doubts = append(s.Doubts, msg.T("doubt.range", iv.N, iv.Needs))
	}
	if trend, err := stats.MannKendall(s.Values); err == nil && trend.Drifts() {
		way := msg.T("doubt.rise", msg.Number(trend.Tau, 2))
		if trend.Tau < 0 {
			way = msg.T("doubt.fall", msg.Number(-trend.Tau, 2))
		}
		s.Doubts = append(s.Doubts, way)
	}
	if many, err := stats.ManyHumps(s.Values); err == nil && many {
		s.Groups[0], s.Groups[1] = stats.TwoGroups(s.Values)
		s.Doubts = append(s.Doubts, msg.T("doubt.groups"))
	}
	return s
}

// AnyTCG reports whether a guest of the run was emulated.
func (a *Analysis) AnyTCG() bool {
	return slices.ContainsFunc(a.Cells, func(c *Cell) bool { return c.TCG })
}

// Help is what a metric is, or nothing.
func (a *Analysis) Help(m results.Metric) msg.Message {
	if help := a.help[m.Name]; !help.IsZero() || m.Help == "" {
		return help
	}
	return msg.Verbatim(m.Help)
}
