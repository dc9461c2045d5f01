package bench

import (
	"context"
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
	request.Request
}

// A Cell is an environment with its variant and a number of instances.
type Cell struct {
	Env     string
	Guest   bool              // its environment is one (About.Guest)
	Variant map[string]string // what this cell sets beside the defaults
	Set     map[string]string // further settings, which follow from the variant and needn't be in a label
	Default map[string]string // settings in place of the environment's own defaults, where the user asks for nothing else
	N       int               // instances at a time; 0 means 1
	Grouped bool              // each instance has a cgroup of its own, also where its environment makes none by itself
	Trials  int               // how many, warm-ups not counted
	Warmup  int               // further ones before them, kept and marked
	Timeout time.Duration     // of one trial
	Expect  time.Duration     // what a trial takes beside the instance's start, about: told before the run begins
	Init    bool              // the workload runs under an init (Spec.Init)
	Work    bool              // what instances write lies in the work folder (Spec.Work)
	Disk    int64             // the most bytes that a trial has there at one time
	Makes   []string          // taints that its trials bring about by themselves, which then say nothing about anybody else
	CPUs    int               // processors that a guest has at least (Spec.CPUs)
	CPU     float64           // the limit of each instance's processor time, in processors; 0: none
	Pids    int64             // the limit of each instance's processes and threads; 0: none
	Memory  int64             // the limit of each instance's memory, in bytes; 0: the run's. Known before the trials, as a guest's RAM follows from it
	Quick   bool              // Options.Quick, for the trial
	Asked   *request.Request  // what was asked for, where the trial follows it; else nil

	// StepClock makes the runner's guard see a step of the wall clock in each
	// trial, which stays as it is: for lab calibrate.
	StepClock bool
}
