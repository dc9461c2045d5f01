package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"lab/bench"
	"lab/bench/cgroup"
	"lab/bench/image"
	"lab/bench/results"
)

// A Runner executes a scenario: it finds out which cells can run, makes
// shuffled blocks of trials, and writes each trial as it ends.
type Runner struct {
	Scenario *bench.Scenario
	Envs     []bench.Environment
	Options  bench.Options // what was asked for
	Image    image.Ref
	Seed     uint64 // also where none was asked for
	Work     string // the testbed's work folder; "" where no cell wants one
	Home     string // a folder of the testbed's that ends with it, for what a trial itself makes

	Manifest *results.Manifest // filled in by Plan and Run
	Write    func([]results.Line) error
	Samples  func([]results.Sample) error // keeps a trial's distributions; may be nil

	// Guard is called at the beginning of each trial; what it returns is
	// called at the end, and names what disturbed the machine in between.
	// Nil: nothing is looked at.
	Guard func() func() []string

	// Progress is called between trials, never inside one. May be nil.
	Progress func(Progress)

	// Done are the lines of a run that was broken off, and Before is the time
	// that it took until then: what there is isn't made again, and all else as
	// if it hadn't been broken off. The rest of its manifest is the caller's.
	Done   []results.Line
	Before time.Duration

	// Session counts the times that the whole set is made, from 1; 0 where it is
	// made once. Each has a testbed and a Runner of its own, whose trials and blocks
	// go on from FirstTrial and FirstBlock.
	Session, FirstTrial, FirstBlock int

	cells []bench.Cell
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
	Failures    = "failures" // a trial failed, or a cell couldn't run that the user asked for
	Interrupted = "interrupted"
	Nothing     = "nothing" // no cell could run
)

// Plan resolves the scenario's cells into the manifest: settings with their
// defaults, what Prepare and Start do, and for a cell that can't run the reason
// and its cure. Environments must be open. An error is the user's: a setting
// that nobody has, a value that isn't allowed.
func (r *Runner) Plan(ctx context.Context) error {
	r.cells = r.Scenario.Planned(r.Options, r.Envs)
	fixed := r.Options.Fixed()
	m := r.Manifest
	m.Scenario, m.Question, m.Method = r.Scenario.Name, r.Scenario.Question, r.Scenario.Method
	m.Metrics, m.Figures, m.Findings = r.Scenario.Metrics, r.Scenario.Figures, nil
	for _, f := range r.Scenario.Findings {
		// What was left out on purpose is no open question.
		if r.asks(f.Of, f.OfVariant) && (f.To == "" || r.asks(f.To, f.ToVariant)) {
			m.Findings = append(m.Findings, f)
		}
	}
	m.Cells, m.Environments, m.Grouped = nil, nil, r.Scenario.Grouped
	if m.Layout = nil; r.Scenario.Layout {
		m.Layout = &results.Layout{Env: bench.Pads.Env, Argv: bench.Pads.Argv}
	}
	if err := r.pairs(); err != nil {
		return err
	}
	for _, a := range bench.AboutAll(r.Envs) {
		if r.asks(a.Name, nil) {
			// Its place is that among all there are, and not among those that are run.
			if i := slices.IndexFunc(r.Options.Known, func(k bench.About) bool { return k.Name == a.Name }); i >= 0 {
				a.Number = r.Options.Known[i].Number
			}
			if v, ok := r.env(a.Name).(bench.Versioner); ok {
				a.Versions = v.Versions()
			}
			m.Environments = append(m.Environments, a.Environment)
		}
	}
	for i := range r.cells {
		if m.Paired != nil && !r.cells[i].Alone {
			r.cells[i].CPUs = min(r.cells[i].CPUs, 1) // a trial of a pair has one
		}
	}
	for _, c := range r.cells {
		env := r.env(c.Env)
		if env == nil {
			return fmt.Errorf("scenario %s wants environment %s, which there isn't", r.Scenario.Name, c.Env)
		}
		set := map[string]string{}
		for _, s := range []map[string]string{c.Default, fixed, c.Variant, c.Set} {
			maps.Copy(set, s)
		}
		if file := r.Options.Kernels[set["kernel"]]; file != "" {
			set["kernel"] = file
		}
		settings, err := bench.Resolve(env, set)
		if err != nil {
			return err
		}
		cell := results.Cell{Env: c.Env, Variant: c.Variant, Settings: settings,
			N: max(c.N, 1), Trials: c.Trials, Warmup: c.Warmup, Expect: c.Expect.Seconds()}
		if cell.Variant == nil {
			cell.Variant = map[string]string{}
		}
		spec := bench.Spec{Image: r.Image, Command: bench.Command{Argv: []string{"/bin/true"}}, Limits: r.planned(c), Settings: settings, Init: c.Init, CPUs: c.CPUs, Work: c.Work}
		err = env.Check(ctx, spec)
		if err == nil {
			err = checkCold(spec)
		}
		if err == nil {
			err = r.room(c)
		}
		if err == nil && r.Scenario.Fits != nil {
			c.N = cell.N
			err = r.Scenario.Fits(c)
		}
		if err != nil {
			var u *bench.UnfitError
			if !errors.As(err, &u) {
				u = &bench.UnfitError{Err: bench.ErrUnavailable, Reason: err.Error()}
			}
			cell.NotRun = &results.NotRun{Kind: u.Err.Error(), Reason: u.Reason, Cure: u.Cure}
		} else {
			if v, ok := env.(bench.Resolver); ok {
				// What "auto" came to is part of what was measured, and
				// is seen wherever the cell is named.
				maps.Copy(cell.Settings, v.Resolved(spec))
			}
			if r.Options.EmulatedOnce && r.Options.Trials == 0 && cell.Settings["accel"] == "tcg" && !r.tells(c.Env) {
				cell.Trials, cell.Warmup = 1, 0
			}
			if d, ok := env.(bench.Describer); ok {
				cell.Prepare, cell.Start = d.Describe(spec)
			}
		}
		m.Cells = append(m.Cells, cell)
	}
	for _, c := range m.Cells {
		if c.NotRun != nil {
			c.NotRun.Optional = r.optional(c, m.Cells)
		}
	}
	if m.Paired != nil {
		for i, with := range bench.Partners(r.cells, func(i int) bool { return m.Cells[i].NotRun == nil }) {
			if with >= 0 {
				m.Cells[i].With = m.Cells[with].Label()
			}
		}
		results.Together(m.Cells)
	}
	return nil
}

// optional says whether it is no failure that a cell can't run: the user asked
// for nothing that makes it what it is, and others of its environment run; or for its
// environment by a group's name alone; or named none, and it is one more to compare
// with, or the question makes no sense there.
func (r *Runner) optional(c results.Cell, all []results.Cell) bool {
	if slices.Contains(r.Options.Some, c.Env) ||
		len(r.Options.Environments) == 0 && (c.NotRun.Kind == bench.ErrNotApplicable.Error() || r.env(c.Env).About().Extra) {
		return true
	}
	fixed := r.Options.Fixed()
	for k := range c.Variant {
		if _, asked := fixed[k]; asked || r.Options.Variant[k] != nil {
			return false
		}
	}
	return slices.ContainsFunc(all, func(x results.Cell) bool { return x.Env == c.Env && x.NotRun == nil })
}

// tells says whether a finding can be decided of an emulated guest: by answers, or by what
// its start consists of.
func (r *Runner) tells(env string) bool {
	return slices.ContainsFunc(r.Scenario.Findings, func(f results.Finding) bool {
		if f.Of != env && f.To != env || f.NeedsKVM {
			return false
		}
		i := slices.IndexFunc(r.Scenario.Metrics, func(m results.Metric) bool { return m.Name == f.Metric })
		return f.Compare == "share" || i >= 0 && r.Scenario.Metrics[i].Certain()
	})
}

// asks says whether an environment has a cell in the run, with this in its
// variant.
func (r *Runner) asks(env string, variant map[string]string) bool {
	return slices.ContainsFunc(r.cells, func(c bench.Cell) bool {
		for k, v := range variant {
			if c.Variant[k] != v {
				return false
			}
		}
		return c.Env == env
	})
}

// limits are what the cell asks for, else the run.
func (r *Runner) limits(c bench.Cell) bench.Limits {
	o := &r.Options
	l := bench.Limits{CPUSet: string(o.CPUs), CPU: cmp.Or(c.CPU, float64(o.CPULimit)),
		Pids: cmp.Or(c.Pids, int64(o.Pids)), Memory: cmp.Or(c.Memory, int64(o.Memory))}
	if l.CPUWeight == 0 && c.Grouped {
		l.CPUWeight = cgroup.DefaultWeight
	}
	return l
}

func (r *Runner) env(name string) bench.Environment {
	for _, e := range r.Envs {
		if e.Name() == name {
			return e
		}
	}
	return nil
}

func (r *Runner) report(p Progress) {
	if r.Progress != nil {
		r.Progress(p)
	}
}
