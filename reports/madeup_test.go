package reports

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"lab/bench"
	"lab/bench/benchtest"
	"lab/bench/results"
)

// A madeUp says what a scenario's run could look like: its metrics, figures and
// findings are the scenario's own, its values are invented. Nothing in it was
// measured, and each page says so.
type madeUp struct {
	scenario *bench.Scenario
	cells    []results.Cell // nil: those that the scenario has by default

	// middle is the value around which a cell's trials lie, before noise; not ok
	// where the cell has none. why, where not "", is the text in its place.
	middle func(c results.Cell, metric string) (v float64, ok bool)
	why    func(c results.Cell, metric string) string

	// tails are the metrics with a distribution: their p99 by their p50. Where
	// plain is set the median is a plain value, as that of a probe's section.
	tails map[string]float64
	plain bool

	disturbed int                       // of each ten trials
	failed    map[string]string         // by label: the error of one trial in seven
	broken    map[string]string         // by label: that of all trials
	notRun    map[string]results.NotRun // by label
	found     func(c results.Cell) map[string]string
}

// run makes the run up, its guests under accel, as a results folder that was
// read back. The same call gives the same values.
func (u madeUp) run(t testing.TB, accel string) *results.Run {
	t.Helper()
	s := u.scenario
	base := synthetic(6) // its machine, and what isn't the scenario's
	m := base.Manifest
	m.Scenario, m.Question, m.Outcome = s.Name, s.Question, "failures"
	m.Metrics, m.Figures, m.Findings = s.Metrics, s.Figures, s.Findings
	m.Command = []string{"run", s.Name, "--seed", "7"}
	m.Work, m.Notes = "ext4", []string{"SYNTHETIC DATA, made up for tests: nothing here was measured."}
	m.Method = m.Notes[0] // the scenario's own would be copied as it is
	m.Cells = u.prepared(accel)
	if base.Machine.Acceleration.Use = accel; accel == "kvm" {
		base.Machine.Acceleration = results.Acceleration{Use: accel, Device: "/dev/kvm opens", Reason: "made up", KVMPace: results.Pace{Ring0: 3e9}, TCGPace: results.Pace{Ring0: 4e8}}
	}
	run := &results.Run{Manifest: m, Machine: base.Machine}
	rng := rand.New(rand.NewPCG(7, 7))
	blocks := 0
	for _, c := range m.Cells {
		blocks = max(blocks, c.Warmup+c.Trials)
	}
	trial := 0
	for block := range blocks {
		for pos, i := range rng.Perm(len(m.Cells)) {
			if c := m.Cells[i]; c.NotRun == nil && block < c.Warmup+c.Trials {
				l := results.Line{ID: m.ID, Scenario: m.Scenario, Env: c.Env, Variant: c.Variant, N: c.N, Block: block, Pos: pos, Trial: trial,
					Warmup: block < c.Warmup, Samples: 1, At: float64(trial) * 2.5}
				run.Lines = append(run.Lines, u.trial(c, l, rng)...)
				trial++
			}
		}
	}
	u.complete(t, run)
	return folder(t, run, t.TempDir())
}

// prepared are the cells as a manifest has them.
func (u madeUp) prepared(accel string) []results.Cell {
	cells := u.cells
	if cells == nil {
		for _, c := range u.scenario.Cells(bench.Options{Known: benchtest.Known}) {
			cells = append(cells, results.Cell{Env: c.Env, Variant: c.Variant, N: 1, Trials: c.Trials, Warmup: c.Warmup})
		}
	}
	var out []results.Cell
	for _, c := range cells {
		if c.Variant == nil {
			c.Variant = map[string]string{}
		}
		if c.Env == "vm" {
			c.Settings = map[string]string{"accel": accel}
		}
		if u.found != nil {
			c.Found = u.found(c)
		}
		if no, ok := u.notRun[c.Label()]; ok {
			c.NotRun, c.Found = &no, nil
		}
		out = append(out, c)
	}
	return out
}

// trial is one trial's lines.
func (u madeUp) trial(c results.Cell, l results.Line, rng *rand.Rand) []results.Line {
	err := u.broken[c.Label()]
	if l.Block%7 == 5 && err == "" {
		err = u.failed[c.Label()]
	}
	if err != "" {
		l.Err, l.Blame, l.Last = err, "machine", true
		return []results.Line{l}
	}
	slow := 1 + 0.02*rng.ExpFloat64() // what slows a trial slows all of it
	if l.Block*3%10 < u.disturbed {
		l.Taint = []string{"pressure"}
		slow *= 1 + 0.1*rng.Float64()
	}
	var out []results.Line
	add := func(m results.Metric, stat string, samples int, v float64) {
		x := l
		x.Metric, x.Unit, x.Better, x.Stat, x.Samples, x.Value = m.Name, m.Unit, m.Better, stat, samples, &v
		out = append(out, x)
	}
	for _, m := range u.scenario.Metrics {
		v, ok := u.middle(c, m.Name)
		if !ok {
			if u.why != nil && u.why(c, m.Name) != "" {
				x := l
				x.Metric, x.Text = m.Name, u.why(c, m.Name)
				out = append(out, x)
			}
			continue
		}
		switch noise := slow * (0.99 + 0.02*rng.Float64()); {
		case m.Better == "higher":
			v /= noise
		case m.Unit == "1":
		default:
			v *= noise
		}
		tail := u.tails[m.Name]
		switch {
		case tail == 0:
			add(m, "", 1, v)
		case u.plain:
			add(m, "", 1, v)
			add(m, "p99", 900, v*tail*(1+0.3*rng.ExpFloat64()))
		default:
			add(m, "p50", 900, v)
			add(m, "p99", 900, v*tail*(1+0.3*rng.ExpFloat64()))
		}
	}
	out[len(out)-1].Last = true
	return out
}

// complete fails the test where the scenario has a metric that nothing was made
// up for: a page without it would show less than a real one.
func (u madeUp) complete(t testing.TB, run *results.Run) {
	t.Helper()
	have := map[string]bool{}
	for _, l := range run.Lines {
		if l.Value != nil {
			if math.IsNaN(*l.Value) {
				t.Fatalf("%s of %s isn't a number", l.Metric, l.Label())
			}
			have[l.Metric] = true
		}
	}
	for _, m := range u.scenario.Metrics {
		if !have[m.Name] {
			t.Errorf("%s: nothing was made up for its metric %s: give it a value", u.scenario.Name, m.Name)
		}
	}
	run.Manifest.Ended = run.Manifest.Started.Add(time.Duration(len(run.Lines)) * time.Second / 4)
}
