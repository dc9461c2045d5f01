//go:build !lean

package main

import (
	"maps"
	"time"

	"lab/bench"
	"lab/bench/engine"
	"lab/bench/image"
	"lab/bench/results"
	"lab/scenarios"
)

// A job is what the supervisor hands to the worker.
type job struct {
	Scenario string
	Options  bench.Options
	Runs     int // trials of each cell; 0: as the scenario says
	Warmup   int // warm-ups of each cell; -1: as the scenario says
	Image    image.Ref
	Cache    string
	Work     string // where the work folder is made, should it be wanted; "": in the cache
	Budget   int64  // the most bytes in it at one time; 0: as there is room for
	UID, GID int
	Extent   engine.Extent
	Sessions int                        // how many times the whole set is made; below 2: once
	Session  int                        // which one this is, from 1; 0: there is one
	First    struct{ Trial, Block int } // of this session
	Connect  *connectJob                // a foreign libvirt, or nil
	Done     []results.Line             // what a run that is gone on with has
	Before   time.Duration              // how long it took until then
	Planned  []results.Cell             // and its cells, which must be the same once more
	Manifest results.Manifest
	Machine  results.Machine

	Experiment   []byte // the experiment file's bytes, to be kept; nil: there is none
	KernelDigest string // that the guests' kernel must have; "": any

	// Paced makes the worker wait before each trial until the supervisor has
	// drawn its progress: the drawing isn't to fall into a trial.
	Paced bool
}

// An event is one line of what the worker tells its supervisor.
type event struct {
	Plan     []results.Cell   `json:",omitempty"`
	Progress *engine.Progress `json:",omitempty"`
	Note     string           `json:",omitempty"`
	Outcome  string           `json:",omitempty"` // the last event
	Err      string           `json:",omitempty"` // why there is no outcome
	Usage    bool             `json:",omitempty"` // the error is the user's
}

// Descriptors that the worker starts with; testbed.Spawn hands over the
// testbed's own as 3.
const (
	fdJob     = 4 + iota // the job, as JSON
	fdResults            // the results folder
	fdControl            // single bytes from the supervisor, see below
	fdEvents             // events, as JSON lines
	fdLock               // the machine's lock: held as long as anything of the run lives
	fdPassage            // connections to a foreign libvirt, where the job has one
	fdEnd
)

// What the supervisor says. End of file says that it died.
const (
	sayGo   = 'g' // the progress is drawn
	sayStop = 's' // finish: give up the trial, write what there is
)

// scenario is the one of that name, with the user's numbers of trials in place of
// its own; nil: there is none. Its Planned lists the cells that the job makes.
func (j *job) scenario(name string) *bench.Scenario {
	sc := scenarios.Find(name)
	if sc == nil {
		return nil
	}
	cells := sc.Cells
	sc.Cells = func(o bench.Options) []bench.Cell {
		out := cells(o)
		for i := range out {
			if j.Runs > 0 {
				out[i].Trials = j.Runs
			}
			if j.Warmup >= 0 {
				out[i].Warmup = j.Warmup
			}
		}
		return out
	}
	return sc
}

// times is how often the whole set of trials is made.
func (j *job) times() int { return max(j.Sessions, 1) }

// asked is the settings that the user gave for all cells: all but the kernel's
// path, which says something of this machine alone and stands there by digest.
func (j *job) asked() map[string]string {
	v := maps.Clone(j.Options.Variant)
	delete(v, "kernel")
	return v
}
