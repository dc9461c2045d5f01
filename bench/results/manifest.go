// Package results is the results folder: its schema, its writer, its reader.
//
//	manifest.json  what was asked, and every cell with its settings or why it wasn't run
//	machine.json   what it ran on
//	trials.jsonl   one line a value, a trial's lines in one write
//	logs/          consoles and daemons' logs
//	samples/       latency distributions
//	guess.json     what was expected before the run, if it was written down
//	experiment.yaml  the experiment file, where one asked for the run
//
// What is drawn and computed from these (report.md, plots, trials.csv, …) is
// written by package reports, and can be written again at any time.
//
// A run's files are written through the descriptor of the folder, never by
// path: the worker lives in another mount namespace than the user does.
package results

import (
	"cmp"
	"slices"
	"time"
)

// Format is the version of the folder's schema. A reader refuses a folder of
// a later one, and reads every earlier one.
const Format = 1

// A Manifest says what was asked, and what was written down before the first
// trial: cells, figures and findings included.
type Manifest struct {
	Format     int       `json:"format"`
	ID         string    `json:"id"`  // the run's own: random, 16 hex digits
	Lab        string    `json:"lab"` // version of the lab
	Scenario   string    `json:"scenario"`
	Question   string    `json:"question"`
	Method     string    `json:"method"`
	Started    time.Time `json:"started"` // UTC
	Ended      time.Time `json:"ended,omitzero"`
	Command    []string  `json:"command"` // as typed, without the program
	Seed       uint64    `json:"seed,string"`
	Quick      bool      `json:"quick,omitempty"`
	Accel      string    `json:"accel"`                // as asked: auto, kvm, tcg
	Asked      *Asked    `json:"request,omitempty"`    // nil: an early lab didn't write it down
	Early      *Early    `json:"asked,omitempty"`      // what earlier labs wrote in its place
	Grouped    int       `json:"grouped,omitempty"`    // trials of a row one after another, unshuffled (a part of lab calibrate); 0: shuffled blocks
	Paired     *Paired   `json:"paired,omitempty"`     // trials were made two at a time and are compared pair by pair (--paired); nil: one at a time
	Layout     *Layout   `json:"layout,omitempty"`     // how much longer than needed the program's environment and arguments could be; nil: they were the same in each trial
	Some       []string  `json:"some,omitempty"`       // environments that were asked for by a group's name: no failure if one can't run
	Once       bool      `json:"once,omitempty"`       // one trial of emulated guests that no finding can be decided of
	Experiment *Digested `json:"experiment,omitempty"` // the experiment file that asked for it; experiment.yaml has its bytes
	Guess      *Digested `json:"guess,omitempty"`      // what was expected before the first trial; guess.json has its bytes
	Outcome    string    `json:"outcome,omitempty"`    // complete, failures, interrupted, nothing; "" while it runs

	Image    Digested `json:"image"`
	Workload Digested `json:"workload"`        // the program's own bytes
	Kernel   Digested `json:"kernel,omitzero"` // the guest's
	Work     string   `json:"work,omitempty"`  // type of the file system that instances wrote to (ext4, xfs, …); "": none was asked for
	Cells    []Cell   `json:"cells"`

	// Environments are those of the cells, as they say themselves; an early lab
	// didn't write it down: ask Environment.
	Environments []Environment `json:"environments,omitempty"`

	Metrics  []Metric  `json:"metrics"`
	Figures  []Figure  `json:"figures"`
	Findings []Finding `json:"findings"`
	Notes    []string  `json:"notes,omitempty"` // what the run wants said in every report

	Died    string    `json:"died,omitempty"`    // why the run's worker ended before the run did; "": it didn't
	Resumed []Resumed `json:"resumed,omitempty"` // each time that an interrupted run was resumed
}

// Kernels are those of the run's guests: Kernel, and what rows with another one have.
func (m Manifest) Kernels() (out []Digested) {
	if m.Kernel != (Digested{}) {
		out = append(out, m.Kernel)
	}
	for _, c := range m.Cells {
		d := Digested{Name: c.Settings["kernel-version"], Digest: c.Settings[KernelDigest]}
		if c.NotRun == nil && d.Digest != "" && !slices.ContainsFunc(out, func(k Digested) bool { return k.Digest == d.Digest }) {
			out = append(out, d)
		}
	}
	return out
}

// KernelOf is the digest of the kernel of a row of guests. Early labs recorded one for the
// whole run.
func (m Manifest) KernelOf(c Cell) string { return cmp.Or(c.Settings[KernelDigest], m.Kernel.Digest) }

// App is the application that was asked for, if any: a name, a path, or what its file says.
func (m Manifest) App() string {
	if m.Asked == nil { // early labs didn't record it
		return ""
	}
	return m.Asked.App
}

// KernelDigest is the resolved setting that has it.
const KernelDigest = "kernel-digest"

// Paired is how a run's pairs were made: the two trials of one at the same time, each
// pinned to one of two sets of processors, the sides drawn for each pair.
type Paired struct {
	CPUs     []string `json:"cpus"`                // the two sets, as the kernel writes them: "0", "1"
	SameCore bool     `json:"same_core,omitempty"` // they are threads of one core, and share what a core has
}

// Layout is how many bytes the environment and the argument strings of a program
// could have in addition, in each trial a number of its own from 0 to these. It moves
// what lies on the program's stack, and so what a measurement of one size only
// would take for the program's speed.
//
// Source: T. Mytkowicz, A. Diwan, M. Hauswirth, P. F. Sweeney, Producing wrong data
// without doing anything obviously wrong!, ASPLOS 2009, pages 265-276.
type Layout struct {
	Env  int `json:"env"`
	Argv int `json:"argv"`
}

// Resumed is one time that a run was resumed.
type Resumed struct {
	At     time.Time `json:"at"`            // UTC
	Trials int       `json:"trials"`        // that there were
	Cut    bool      `json:"cut,omitempty"` // a trial wasn't written to its end, and was made again
}

// Digested names bytes by what they are.
type Digested struct {
	Name   string `json:"name"`           // "default", a folder's last part, "6.1.0-42-cloud-amd64"
	Digest string `json:"digest"`         // "sha256:…"
	Size   int64  `json:"size,omitempty"` // bytes
}

// A Cell is an environment with its variant, or the reason why it wasn't run.
type Cell struct {
	Env      string            `json:"env"`
	Variant  map[string]string `json:"variant"`  // what tells this cell from others of its environment
	Settings map[string]string `json:"settings"` // all, defaults resolved, what was found out included (accel=tcg)
	N        int               `json:"n"`        // instances at a time
	Trials   int               `json:"trials"`
	Warmup   int               `json:"warmup"`
	Expect   float64           `json:"expect,omitempty"`  // seconds that a trial was expected to take beside the start
	Prepare  []string          `json:"prepare,omitempty"` // what is done before the clock starts
	Start    []string          `json:"start,omitempty"`   // what is timed
	Found    map[string]string `json:"found,omitempty"`   // what its trials found it to be: the devices that its bytes passed, and how these are set
	Within   map[string]string `json:"within,omitempty"`  // what an instance of it was found to run within, by name: kernel, namespaces, mounts, cgroup, limits, seccomp, capabilities, network; a guest has a kernel alone
	With     string            `json:"with,omitempty"`    // label of the row whose trials are made at the same time as its own, and which it is compared with (--paired)
	NotRun   *NotRun           `json:"not_run,omitempty"`
}

// Together gives the partners in a run of pairs as many trials as the rows have that
// they are made with.
func Together(cells []Cell) {
	for i := range cells {
		trials, warmup := 0, 0
		for _, c := range cells {
			if c.With != "" && c.With == cells[i].Label() && c.NotRun == nil {
				trials, warmup = trials+c.Trials, warmup+c.Warmup
			}
		}
		if trials+warmup > 0 {
			cells[i].Trials, cells[i].Warmup = trials, warmup
		}
	}
}

// None is a list in Cell.Within that has nothing.
const None = "none"

// Label is what a table's row or a plot's axis calls the cell: its
// environment, and its variant where it has one.
func (c Cell) Label() string { return Label(c.Env, c.Variant, c.N) }

// NotRun is why a cell has no trial.
type NotRun struct {
	Kind   string `json:"kind"` // unavailable, not applicable
	Reason string `json:"reason"`
	Cure   string `json:"cure,omitempty"`

	// Optional: the scenario added the cell by itself, and others of its
	// environment ran. That it didn't is no failure.
	Optional bool `json:"optional,omitempty"`
}

// Because is the reason, and what helps.
func (n *NotRun) Because() string {
	if n.Cure == "" {
		return n.Reason
	}
	return n.Reason + "; " + n.Cure
}

// A Metric is what a number measures.
type Metric struct {
	Name   string `json:"name"`   // "ready"
	Title  string `json:"title"`  // "Time until ready"
	Unit   string `json:"unit"`   // base unit: s, B, B/s, 1/s, 1
	Better string `json:"better"` // lower, higher, or ""
	Help   string `json:"help"`   // one sentence: from when to when, how it is taken

	// Start says that the start of an instance is in it: rows that are whole commands and
	// rows that are called in process aren't compared by it.
	Start bool `json:"start,omitempty"`

	// Fact says that it isn't a time or an amount, but the same in each trial
	// unless something is wrong, also in an emulated guest: values that agree
	// decide a finding.
	Fact bool `json:"fact,omitempty"`

	// Words are what 0, 1, 2 … mean, where it is an answer (which is a fact, too).
	Words []string `json:"words,omitempty"`
}

// Certain reports whether values that agree decide.
func (m Metric) Certain() bool { return m.Fact || len(m.Words) > 0 }

// Word is what a value is called; "" if it isn't one of the words.
func (m Metric) Word(v float64) string {
	if i := int(v); i >= 0 && i < len(m.Words) && float64(i) == v {
		return m.Words[i]
	}
	return ""
}

// A Figure is a plot as data: which metric, by what, on which axis.
type Figure struct {
	Name    string   `json:"name"`  // file name without extension
	Title   string   `json:"title"` // a sentence that says what is seen
	Kind    string   `json:"kind"`  // distribution (every trial a point), phases (stacked parts), ratios (each metric by the baseline's), panels (a small one for each metric), slopes (a total against the number of instances), steps (what a row adds to another), matrix (a row for each metric, a column for each cell, answers in words)
	Metrics []string `json:"metrics"`
	Log     bool     `json:"log,omitempty"` // logarithmic axis
	Caption string   `json:"caption,omitempty"`

	// Of steps: the part of a variant whose rows the figure is of; other figures
	// leave these out. Before them stand the rows of environments that have no
	// variant, and no kernel of their own.
	By string `json:"by,omitempty"`

	// Of a matrix: the environment whose cells are the columns. Of ratios and steps: the environment that all rows are set beside, and what its
	// variant has; "" sets each beside the baseline that is most like it, and in
	// steps beside the row before it.
	To        string            `json:"to,omitempty"`
	ToVariant map[string]string `json:"to_variant,omitempty"`
}

// A Finding is a statement whose verdict will be computed: what is compared,
// with which threshold, and why that one. It is written down before the
// results are there.
type Finding struct {
	Name      string `json:"name"`            // short, unique within the scenario
	Claim     int    `json:"claim,omitempty"` // which common claim it answers
	Statement string `json:"statement"`       // as people say it
	Metric    string `json:"metric"`
	Of        string `json:"of"`      // an environment
	To        string `json:"to"`      // the one that it is compared with; "" compares with the threshold itself
	Compare   string `json:"compare"` // ratio, difference, value, share (of metric's parts; Part names it), slope (by the number of instances; less To's)
	Part      string `json:"part,omitempty"`

	// OfVariant and ToVariant, where given, pick among an environment's cells
	// those that have these settings in their variant.
	OfVariant map[string]string `json:"of_variant,omitempty"`
	ToVariant map[string]string `json:"to_variant,omitempty"`

	// OfExcept, where given, leaves out the cells of Of that have these
	// settings, defaults included: the statement isn't about them.
	OfExcept map[string]string `json:"of_except,omitempty"`

	// Plain leaves out the cells that have a variant.
	Plain bool `json:"plain,omitempty"`

	Op        string  `json:"op"` // below, above, within (threshold is the half-width around 1 or 0)
	Threshold float64 `json:"threshold"`
	Reason    string  `json:"reason"`              // why this threshold
	NeedsKVM  bool    `json:"needs_kvm,omitempty"` // a statement about a VM's speed: not judged under emulation
}
