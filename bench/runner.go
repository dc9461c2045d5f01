package bench

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"lab/bench/clock"
	"lab/bench/image"
	"lab/bench/results"
)

// A Runner executes a scenario: it finds out which cells can run, makes
// shuffled blocks of trials, and writes each trial as it ends.
type Runner struct {
	Scenario *Scenario
	Envs     []Environment
	Options  Options
	Image    image.Ref
	Limits   Limits
	Seed     uint64

	Manifest *results.Manifest // filled in by Plan and Run
	Write    func([]results.Line) error

	// Guard is called at the beginning of each trial; what it returns is
	// called at the end, and names what disturbed the machine in between.
	// Nil: nothing is looked at.
	Guard func() func() []string

	// Progress is called between trials, never inside one. May be nil.
	Progress func(Progress)

	cells []Cell
}

// Progress is how far a run is.
type Progress struct {
	Done, Total int
	Failed      int
	Next        string        // label of the cell that comes next; "" at the end
	Left        time.Duration // estimate; 0 while there is nothing to go by
	Err         string        // why the last trial failed, or ""
	Warmup      bool
}

// Outcomes of a run, as the manifest states them.
const (
	Complete    = "complete"
	Failures    = "failures" // a trial failed, or a cell couldn't run
	Interrupted = "interrupted"
	Nothing     = "nothing" // no cell could run
)

// Plan resolves the scenario's cells into the manifest: settings with their
// defaults, what Prepare and Start do, and for a cell that can't run the reason
// and its cure. Environments must be open. An error is the user's: a setting
// that nobody has, a value that isn't allowed.
func (r *Runner) Plan(ctx context.Context) error {
	r.cells = r.Scenario.Cells(r.Options)
	m := r.Manifest
	m.Scenario, m.Question, m.Method = r.Scenario.Name, r.Scenario.Question, r.Scenario.Method
	m.Metrics, m.Figures, m.Findings = r.Scenario.Metrics, r.Scenario.Figures, nil
	for _, f := range r.Scenario.Findings {
		// What was left out on purpose is no open question.
		if r.asks(f.Of) && (f.To == "" || r.asks(f.To)) {
			m.Findings = append(m.Findings, f)
		}
	}
	m.Cells = nil
	for _, c := range r.cells {
		env := r.env(c.Env)
		if env == nil {
			return fmt.Errorf("scenario %s wants environment %s, which there isn't", r.Scenario.Name, c.Env)
		}
		set := maps.Clone(r.Options.Variant)
		if set == nil {
			set = map[string]string{}
		}
		maps.Copy(set, c.Variant)
		settings, err := Resolve(env, set)
		if err != nil {
			return err
		}
		cell := results.Cell{Env: c.Env, Variant: c.Variant, Settings: settings,
			N: max(c.N, 1), Trials: c.Trials, Warmup: c.Warmup}
		if cell.Variant == nil {
			cell.Variant = map[string]string{}
		}
		spec := Spec{Image: r.Image, Command: Command{Argv: []string{"/bin/true"}}, Limits: r.Limits, Settings: settings}
		if err := env.Check(ctx, spec); err != nil {
			var u *UnfitError
			if !errors.As(err, &u) {
				u = &UnfitError{ErrUnavailable, err.Error(), ""}
			}
			cell.NotRun = &results.NotRun{Kind: u.Err.Error(), Reason: u.Reason, Cure: u.Cure}
		} else {
			if v, ok := env.(Resolver); ok {
				// What "auto" came to is part of what was measured, and
				// is seen wherever the cell is named.
				maps.Copy(cell.Settings, v.Resolved(spec))
			}
			if d, ok := env.(Describer); ok {
				cell.Prepare, cell.Start = d.Describe(spec)
			}
		}
		m.Cells = append(m.Cells, cell)
	}
	return nil
}

// asks says whether an environment has a cell in the run.
func (r *Runner) asks(env string) bool {
	return slices.ContainsFunc(r.cells, func(c Cell) bool { return c.Env == env })
}

func (r *Runner) env(name string) Environment {
	for _, e := range r.Envs {
		if e.Name() == name {
			return e
		}
	}
	return nil
}

// Run makes the planned trials. A failed trial is written and the run goes on;
// the run ends early when ctx does. It returns one of the outcomes; an error
// means that results could no longer be written.
func (r *Runner) Run(ctx context.Context) (outcome string, err error) {
	m := r.Manifest
	var run []int // cells that can run
	for i, c := range m.Cells {
		if c.NotRun == nil {
			run = append(run, i)
		}
	}
	if len(run) == 0 {
		return Nothing, nil
	}
	var trials, warmup []int
	for _, i := range run {
		trials = append(trials, m.Cells[i].Trials)
		warmup = append(warmup, m.Cells[i].Warmup)
	}
	plan := order(r.Seed, trials, warmup)
	if r.Scenario.Grouped > 0 {
		plan = grouped(r.Scenario.Grouped, trials, warmup)
	}
	metric := map[string]results.Metric{}
	for _, x := range m.Metrics {
		metric[x.Name] = x
	}

	// A collection inside a trial would be measured as part of it. Between
	// trials it is made by hand.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))

	began := clock.Now()
	bad := len(run) < len(m.Cells)
	eta := newEstimate(m.Cells)
	p := Progress{Total: len(plan)}
	for n, s := range plan {
		i := run[s.cell]
		p.Next, p.Warmup, p.Left = m.Cells[i].Label(), s.warmup, eta.left(plan[n:], run)
		r.report(p)
		runtime.GC()
		cell := &m.Cells[i]
		start := clock.Now()
		t := &T{
			env: r.env(cell.Env), cell: cell, image: r.Image, limits: r.Limits, metric: metric,
			line: results.Line{
				ID: m.ID, Scenario: m.Scenario, Env: cell.Env, Variant: cell.Variant, N: cell.N,
				Block: s.block, Pos: s.pos, Trial: n, Warmup: s.warmup,
				Taint: []string{}, At: start.Sub(began).Seconds(),
			},
		}
		var settled func() []string
		if r.Guard != nil {
			settled = r.Guard()
		}
		lines := runTrial(ctx, r.Scenario, t, r.cells[i].Timeout)
		if settled != nil {
			for _, name := range settled() {
				for j := range lines {
					if !slices.Contains(lines[j].Taint, name) {
						// A new slice: the lines share the empty one.
						lines[j].Taint = append(slices.Clone(lines[j].Taint), name)
					}
				}
			}
		}
		if lines == nil {
			return Interrupted, nil
		}
		if err := r.Write(lines); err != nil {
			return Failures, err
		}
		p.Err = lines[0].Err
		if p.Err != "" {
			p.Failed++
			bad = true
		}
		p.Done++
		eta.add(i, clock.Now().Sub(start))
	}
	p.Next, p.Left = "", 0
	r.report(p)
	if bad {
		return Failures, nil
	}
	return Complete, nil
}

func (r *Runner) report(p Progress) {
	if r.Progress != nil {
		r.Progress(p)
	}
}

// An estimate is the time that a run will still take, from what each cell's
// trials have taken so far.
type estimate struct {
	sum []time.Duration
	n   []int
}

func newEstimate(cells []results.Cell) *estimate {
	return &estimate{make([]time.Duration, len(cells)), make([]int, len(cells))}
}

func (e *estimate) add(cell int, d time.Duration) {
	e.sum[cell] += d
	e.n[cell]++
}

// left is 0 until each cell that is still to come has run once.
func (e *estimate) left(plan []slot, run []int) (d time.Duration) {
	for _, s := range plan {
		i := run[s.cell]
		if e.n[i] == 0 {
			return 0
		}
		d += e.sum[i] / time.Duration(e.n[i])
	}
	return d
}
