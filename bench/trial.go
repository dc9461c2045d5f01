package bench

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"lab/bench/clock"
	"lab/bench/histogram"
	"lab/bench/image"
	"lab/bench/results"
)

// T is what a scenario's trial function is handed: it prepares instances and
// records values. When the function returns, T closes the instances that are
// still open.
type T struct {
	plan   TrialPlan
	metric map[string]results.Metric
	open   []Instance

	chilled bool // the files of the open instances were driven out of the page cache

	record Record
}

// A TrialPlan is what a trial is made from.
type TrialPlan struct {
	Env    Environment
	Other  Environment // Scenario.Beside's, or nil
	Cell   *results.Cell
	Asked  Cell // the cell as the scenario listed it
	Image  image.Ref
	Limits Limits
	Home   string       // T.Home
	Duet   *Duet        // the pair that the trial is one of; nil: none
	Side   int          // which one of it: 0 or 1
	Layout bool         // its programs have the environment and arguments that Line says (Scenario.Layout)
	Line   results.Line // what is the same in each of the trial's lines
}

// A Record is what a trial gave.
type Record struct {
	Lines   []results.Line   // without the trial's taints
	Taint   []string         // what disturbed it, by its own word
	Samples []results.Sample // distributions
}

// NewT begins a trial, in which these metrics can be recorded.
func NewT(p TrialPlan, metrics map[string]results.Metric) *T {
	return &T{plan: p, metric: metrics}
}

// Recorded is what was recorded so far. It may be asked for once the trial's
// function has returned, and [T.CloseAll].
func (t *T) Recorded() Record { return t.record }

// TokenSize is how many bytes a token has: what a UART's FIFO takes at once, so
// that a guest's console sends it whole even when its PID 1 ends right after.
const TokenSize = 16

// Token makes a new instance's token: 16 random characters that no firmware,
// kernel or program writes by chance.
func Token() string {
	return fmt.Sprintf("lab-%0*x", TokenSize-len("lab-"), rand.Uint64()>>16)
}

// Environment is the cell's.
func (t *T) Environment() Environment { return t.plan.Env }

// Spec is the workload cmd in the run's image with the cell's settings and
// limits.
func (t *T) Spec(cmd Command) Spec {
	return Spec{Image: t.plan.Image, Command: cmd, Limits: t.plan.Limits, Settings: maps.Clone(t.plan.Cell.Settings), Init: t.plan.Asked.Init, CPUs: t.plan.Asked.CPUs, Work: t.plan.Asked.Work}
}

// Prepare prepares an instance, which is closed after the trial at the latest.
func (t *T) Prepare(ctx context.Context, s Spec) (Instance, error) {
	return t.prepare(ctx, t.plan.Env, s)
}

func (t *T) prepare(ctx context.Context, env Environment, s Spec) (Instance, error) {
	if err := hasProbe(s); err != nil {
		return nil, err
	}
	i, err := env.Prepare(ctx, t.padded(s))
	if err != nil {
		return nil, fmt.Errorf("prepare: %w", err)
	}
	t.open = append(t.open, i)
	// The files of a trial's first instance are its further ones', too, which
	// find them as the first has left them. What is beside the cell (another
	// environment's server, say) is not the first.
	if len(t.open) == 1 {
		t.chilled = false
	}
	if Cold(s) && !t.chilled {
		t.chilled = true
		if err := Chill(i, s); err != nil {
			return nil, err
		}
	}
	return i, nil
}

// Close closes an instance now rather than after the trial.
func (t *T) Close(i Instance) error {
	if n := slices.Index(t.open, i); n >= 0 {
		t.open = slices.Delete(t.open, n, n+1)
	}
	return i.Close()
}

// Record records a value in the metric's unit.
func (t *T) Record(metric string, value float64) {
	m, ok := t.metric[metric]
	if !ok {
		panic("bench: scenario " + t.plan.Line.Scenario + " records a metric that it doesn't declare: " + metric)
	}
	l := t.plan.Line
	l.Metric, l.Value, l.Unit, l.Better, l.Samples = metric, &value, m.Unit, m.Better, 1
	t.record.Lines = append(t.record.Lines, l)
}

// RecordText records that a metric has no number in this trial, and why.
func (t *T) RecordText(metric, text string) {
	l := t.plan.Line
	l.Metric, l.Text = metric, text
	t.record.Lines = append(t.record.Lines, l)
}

// RecordSince records the time from start to end in seconds.
func (t *T) RecordSince(metric string, start, end clock.Time) {
	t.Record(metric, end.Sub(start).Seconds())
}

// RecordSamples records the distribution of times that a probe's samples line
// has: its median and its 99th percentile as values of the metric, and all of it
// in the results folder's samples/. The metric's unit must be s. An error says
// that the line is damaged.
func (t *T) RecordSamples(metric string, h Heard) error {
	d, err := h.Histogram()
	if err == nil {
		t.RecordTimes(metric, d)
	}
	return err
}

// RecordTimes is RecordSamples of a distribution that the trial itself made.
func (t *T) RecordTimes(metric string, h *histogram.Histogram) {
	t.quantile(metric, "p50", 0.5, h)
	t.tail(metric, h)
}

// RecordQuantile records a quantile (stat: "p50") in the metric's unit that somebody
// else made of so many samples.
func (t *T) RecordQuantile(metric, stat string, value float64, samples int) {
	t.Record(metric, value)
	l := &t.record.Lines[len(t.record.Lines)-1]
	l.Stat, l.Samples = stat, samples
}

// RecordTail is RecordSamples for a metric whose value is the median already.
func (t *T) RecordTail(metric string, h Heard) error {
	d, err := h.Histogram()
	if err == nil {
		t.tail(metric, d)
	}
	return err
}

// tailNeeds is how many samples a 99th percentile is told of: of fewer it would
// be the largest one.
const tailNeeds = 100

// tail records a distribution but for its median.
func (t *T) tail(metric string, h *histogram.Histogram) {
	if h.N() == 0 {
		return
	}
	if h.N() < tailNeeds {
		t.RecordText(metric, fmt.Sprintf("%d of the %d samples that a 99th percentile needs", h.N(), tailNeeds))
		t.record.Lines[len(t.record.Lines)-1].Stat = "p99"
	} else {
		t.quantile(metric, "p99", 0.99, h)
	}
	s := results.Sample{Trial: t.plan.Line.Trial, Env: t.plan.Line.Env, Variant: t.plan.Line.Variant, N: t.plan.Line.N,
		Warmup: t.plan.Line.Warmup, Metric: metric, Unit: "s"}
	for _, b := range h.Buckets() {
		s.Buckets = append(s.Buckets, [2]int64{int64(b.Index), b.Count})
	}
	t.record.Samples = append(t.record.Samples, s)
}

func (t *T) quantile(metric, stat string, at float64, h *histogram.Histogram) {
	ns, ok := h.Quantile(at)
	if !ok {
		return
	}
	t.RecordQuantile(metric, stat, ns/1e9, int(h.N()))
}

// Taint names something that disturbed the trial, for its lines: it is kept,
// and counted in the report.
func (t *T) Taint(name string) {
	if !slices.Contains(t.record.Taint, name) {
		t.record.Taint = append(t.record.Taint, name)
	}
}

// RecordPhases records what the time from start to end was made of: for each
// mark the time since the one before it, and the rest after the last one under
// the name that last gives. The phases sum to the whole. Marks outside of the
// span are left out.
func (t *T) RecordPhases(metric string, start, end clock.Time, marks []clock.Mark, last string) {
	var parts []Part
	for _, m := range append(slices.Clone(marks), clock.Mark{Name: last, At: end}) {
		if m.At >= start && m.At <= end {
			parts = append(parts, Part{m.Name, m.At.Sub(start).Seconds()})
			start = m.At
		}
	}
	t.RecordParts(metric, parts)
}

// A Part is one of the values that make up a metric's, in its unit.
type Part struct {
	Name  string
	Value float64
}

// RecordParts records what a metric's value is made of. What the parts leave of it is
// reported as "other".
func (t *T) RecordParts(metric string, parts []Part) {
	for n, p := range parts {
		l := t.plan.Line
		l.Metric, l.Value, l.Unit, l.Samples = p.Name, &p.Value, t.metric[metric].Unit, 1
		l.PartOf, l.Seq = metric, n
		t.record.Lines = append(t.record.Lines, l)
	}
}

// CloseAll closes what is left, and says what went wrong.
func (t *T) CloseAll() error {
	var first error
	for _, i := range slices.Backward(t.open) {
		if err := i.Close(); err != nil && first == nil {
			first = fmt.Errorf("close: %w", err)
		}
	}
	t.open = nil
	return first
}
