package bench

import (
	"context"
	"maps"
	"slices"
	"time"

	"lab/bench/request"
	"lab/bench/results"
)

// A Scenario is a question with a method.
//
// Figures and findings are data: they are copied into the manifest, so that
// a report needs the results folder alone, and so that every threshold was
// written down before the first trial.
type Scenario struct {
	Name     string // what users type
	Question string // one sentence that ends in "?"
	Method   string // what a trial does, in one paragraph

	// Workload is the path of the program that is started, in the default
	// image; "" is image.ReadyPath.
	Workload string

	// Program is the program that is started for a request, in place of Workload, where
	// the request says which. May be nil.
	Program func(*request.Request) string

	// Cells lists what is measured: environments with their variants. The
	// environments are Options.Chosen; the order doesn't matter. Counts.Rows is a
	// row of each.
	Cells func(Options) []Cell

	// Fits says whether this machine has room for a cell, before the first
	// trial: nil, or an [*UnfitError] that says what it would need. May be nil.
	Fits func(Cell) error

	// Trial executes a cell once, and records what it gave. An error fails
	// the trial, not the run. What T made is closed after it.
	Trial func(context.Context, *T, Cell) error

	// Takes are the keys of a request that are this scenario's, and no other's; the
	// first has to be asked for.
	Takes []string

	// Alone says why a trial can't be made at the same time as another one
	// (Request.Paired), as the end of a sentence; "": it can, by [T.Meet].
	Alone string

	// Layout lets the environment and the argument strings of what a trial starts be
	// longer than they need be (results.Layout): for programs that run for a while, to
	// which these say nothing.
	Layout bool

	// Beside names an environment that a trial takes something from beside
	// its cell's own: a client, for [T.Beside]. "" is none.
	Beside string

	// Grouped makes so many trials of a cell one after another, then as many
	// of the next, and so on, instead of shuffled blocks. It is for lab
	// calibrate alone, which shows what that does to conclusions.
	Grouped int

	Metrics  []results.Metric
	Figures  []results.Figure
	Findings []results.Finding
}

// Options are what was asked of a scenario, and the environments that there are,
// as they say themselves.
type Options struct {
	Known []About
	Some  []string // environments that were asked for by a group's name: no failure if one can't run

	// EmulatedOnce makes one trial of a guest that is emulated in software where no
	// finding can be decided of it: enough to see what it consists of.
	EmulatedOnce bool
	// Kernels are files that stand in for values of the setting kernel, which a results
	// folder names: the bytes that were saved there.
	Kernels map[string]string

	request.Request
}

// A Cell is an environment with its variant and a number of instances.
type Cell struct {
	Env       string
	Guest     bool              // its environment is one (About.Guest)
	HostFiles bool              // its environment's programs see the machine's files (About.HostFiles)
	Variant   map[string]string // what this cell sets beside the defaults
	Set       map[string]string // further settings, which follow from the variant and needn't be in a label
	Default   map[string]string // settings in place of the environment's own defaults, where the user asks for nothing else
	N         int               // instances at a time; 0 means 1
	Grouped   bool              // each instance has a cgroup of its own, also where its environment makes none by itself
	Trials    int               // how many, warm-ups not counted
	Warmup    int               // further ones before them, kept and marked
	Timeout   time.Duration     // of one trial
	Expect    time.Duration     // what a trial takes beside the instance's start, about: told before the run begins
	Init      bool              // the workload runs under an init (Spec.Init)
	Work      bool              // what instances write lies in the work folder (Spec.Work)
	Disk      int64             // the most bytes that a trial has there at one time
	Makes     []string          // taints that its trials bring about by themselves, which then say nothing about anybody else, unless the machine had them before the first trial
	CPUs      int               // processors that a guest has at least (Spec.CPUs)
	CPU       float64           // the limit of each instance's processor time, in processors; 0: none
	Pids      int64             // the limit of each instance's processes and threads; 0: none
	Memory    int64             // the limit of each instance's memory, in bytes; 0: the run's. Known before the trials, as a guest's RAM follows from it
	Quick     bool              // Options.Quick, for the trial
	Asked     *request.Request  // what was asked for, where the trial follows it; else nil
	Alone     bool              // its trials are made alone in a run of pairs, too
	Long      bool              // its parts are as long as a guest's; in a run of pairs those of the two have to be

	// StepClock makes the runner's guard see a step of the wall clock in each
	// trial, which stays as it is: for lab calibrate.
	StepClock bool
}

// Chosen are the environments that were asked for, in the user's order, or those
// that are measured by default.
func (o Options) Chosen() []About {
	var out []About
	if len(o.Environments) == 0 {
		for _, a := range o.Known {
			if a.Default {
				out = append(out, a)
			}
		}
		return out
	}
	for _, name := range o.Environments {
		i := slices.IndexFunc(o.Known, func(a About) bool { return a.Name == name })
		if i < 0 { // whoever makes the run says that there is none
			out = append(out, About{})
			out[len(out)-1].Name = name
			continue
		}
		out = append(out, o.Known[i])
	}
	return out
}

// Counts are how many trials a scenario makes of a row: of one whose environment
// starts in milliseconds, and of a slow one, each of which takes seconds.
type Counts struct{ Full, Quick, Slow, SlowQuick Count }

// A Count is a number of trials, with the warm-ups before them.
type Count struct{ Trials, Warmup int }

// Usual is for what a scenario knows nothing better of: as many trials as an
// interval of the median needs to be a few percent wide, and under --quick just
// enough for one; or, of what is slow, for a look.
var Usual = Counts{Full: Count{20, 1}, Quick: Count{6, 0}, Slow: Count{20, 1}, SlowQuick: Count{3, 0}}

// Row is a row of an environment, with its number of trials and the time that
// one may take.
func (n Counts) Row(a About, o Options) Cell {
	c := Cell{Env: a.Name, Guest: a.Guest, HostFiles: a.HostFiles, Quick: o.Quick, Timeout: time.Minute}
	k := n.Full
	switch {
	case a.Slow && o.Quick:
		k = n.SlowQuick
	case a.Slow:
		k = n.Slow
	case o.Quick:
		k = n.Quick
	}
	if a.Slow {
		c.Timeout *= 3
	}
	c.Timeout += a.Patience
	c.Trials, c.Warmup = k.Trials, k.Warmup
	if a.Long {
		c.Trials, c.Warmup = min(k.Trials, Usual.Quick.Trials), Usual.Quick.Warmup
	}
	return c
}

// Rows is a row of each environment that was chosen.
func (n Counts) Rows(o Options) []Cell {
	var out []Cell
	for _, a := range o.Chosen() {
		out = append(out, n.Row(a, o))
	}
	return out
}

// Planned lists the cells of a run for what was asked, in the manifest's order:
// the scenario's, and where the user gave a setting several values, one for each
// of these. Whoever makes a run, or says what it will be, asks here.
func (s *Scenario) Planned(o Options, envs []Environment) []Cell {
	return vary(s.Cells(o), o.Varied(), func(env, setting string) bool {
		return slices.ContainsFunc(envs, func(e Environment) bool {
			return e.Name() == env && slices.ContainsFunc(e.Settings(), func(x Setting) bool { return x.Name == setting })
		})
	})
}

// Partners says for each cell in whose company its trials are made (Request.Paired), by
// place: the first cell that runs is the partner of all others. -1: of none, or it is the
// partner itself.
func Partners(cells []Cell, runs func(i int) bool) []int {
	out, first := make([]int, len(cells)), -1
	for i, c := range cells {
		out[i] = -1
		switch {
		case c.Alone || !runs(i):
		case first < 0:
			first = i
		default:
			out[i] = first
		}
	}
	return out
}

// vary makes of each cell one for each combination of the values that the user
// gave a setting (Request.Varied). A setting that the cell's environment doesn't
// have, or that the scenario sets for the cell by itself, leaves it as it is.
func vary(cells []Cell, axes map[string]request.Values, has func(env, setting string) bool) []Cell {
	for _, name := range slices.Sorted(maps.Keys(axes)) {
		var out []Cell
		for _, c := range cells {
			if _, set := c.Variant[name]; set || !has(c.Env, name) {
				out = append(out, c)
				continue
			}
			for _, v := range axes[name] {
				x := c
				x.Variant = maps.Clone(c.Variant)
				if x.Variant == nil {
					x.Variant = map[string]string{}
				}
				x.Variant[name] = v
				out = append(out, x)
			}
		}
		cells = out
	}
	return cells
}
