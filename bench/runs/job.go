package runs

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"path"
	"strings"
	"time"

	"lab/bench"
	"lab/bench/engine"
	"lab/bench/image"
	"lab/bench/results"
	"lab/bench/stats"
)

// Parts are what a run is made of that this package doesn't know.
type Parts struct {
	Environments func(also ...string) []bench.Environment // all there are, and those of these names that are in no list
	Scenario     func(name string) *bench.Scenario        // nil: there is none of that name
}

// A Job is what the supervisor hands to the worker.
type Job struct {
	Scenario string
	Options  bench.Options // what was asked for; its places are this machine's
	Image    image.Ref
	Cache    string
	UID, GID int                        // whom files belong to
	Session  int                        // which one this is, from 1; 0: there is one
	First    struct{ Trial, Block int } // of this session
	Connect  *Connection                // a foreign libvirt, or nil
	Done     []results.Line             // what a resumed run has
	Before   time.Duration              // how long it took until then
	Planned  []results.Cell             // and its cells, which must be the same once more
	Manifest results.Manifest
	Machine  results.Machine

	Experiment []byte // the experiment file's bytes, to be kept; nil: there is none
	Guess      []byte // the guess's, likewise

	// Paced makes the worker wait before each trial until the supervisor has
	// drawn its progress: the drawing isn't to fall into a trial.
	Paced bool
}

// A Connection is what the worker is told of a foreign libvirt: no host and no
// user. Its connections come through the supervisor (crew.Passage).
type Connection struct{ Name, Driver string }

// An event is what the worker tells its supervisor.
type event struct {
	Plan     []results.Cell       `json:",omitempty"`
	Found    results.Acceleration `json:",omitzero"` // with Plan
	Progress *engine.Progress     `json:",omitempty"`
	Outcome  string               `json:",omitempty"` // the last event
	Err      string               `json:",omitempty"` // why there is no outcome
	Usage    bool                 `json:",omitempty"` // the error is the user's
	Full     bool                 `json:",omitempty"` // the error is that a file system had no room
}

// What the supervisor says to the worker.
const (
	sayGo   = 'g' // the progress is drawn
	sayStop = 's' // finish: give up the trial, write what there is
)

// Numbered is the scenario of that name, with the user's numbers of trials in
// place of its own; nil: there is none. Its Planned lists the cells that the job
// makes.
func (j *Job) Numbered(p Parts, name string) *bench.Scenario {
	sc := p.Scenario(name)
	if sc == nil {
		return nil
	}
	cells := sc.Cells
	sc.Cells = func(o bench.Options) []bench.Cell {
		out := cells(o)
		for i := range out {
			switch {
			case j.Options.Trials > 0:
				out[i].Trials = j.Options.Trials
			case o.Paired: // fewer pairs than that can't tell anything
				out[i].Trials = max(out[i].Trials, stats.PairsNeeded(len(out)-1))
			}
			if j.Options.Warmup != nil {
				out[i].Warmup = *j.Options.Warmup
			}
		}
		return out
	}
	return sc
}

// Begin gives the job the name of a new run, of a scenario, and writes down what
// was asked for. A seed must have been chosen.
func (j *Job) Begin(p Parts, scenario string) {
	var id [8]byte
	rand.Read(id[:])
	j.Scenario, j.Options.Scenarios = scenario, []string{scenario}
	m, o := &j.Manifest, &j.Options.Request
	m.Format, m.Scenario, m.Asked = results.Format, scenario, o.Recorded()
	m.Some, m.Once = j.Options.Some, j.Options.EmulatedOnce
	m.Seed, m.Quick, m.Accel = *o.Seed, o.Quick, cmp.Or(o.Accel, "auto")
	m.ID, m.Started = hex.EncodeToString(id[:]), time.Now().UTC()
	j.Describe(p)
}

// Describe writes down which bytes the job runs: its image, and the program that
// its scenario starts, or the one that was asked for.
func (j *Job) Describe(p Parts) {
	j.Manifest.Image = results.Digested{Name: j.Image.Name, Digest: j.Image.Digest, Size: j.Image.Size}
	name := image.ReadyPath
	if sc := p.Scenario(j.Scenario); sc != nil {
		name = cmp.Or(sc.Workload, name)
		if sc.Program != nil {
			name = sc.Program(&j.Options.Request)
		}
	}
	paths := []string{name}
	if !strings.Contains(name, "/") {
		paths = nil
		for _, dir := range (bench.Command{}).Path() {
			paths = append(paths, path.Join(dir, name))
		}
	}
	j.Manifest.Workload = results.Digested{Name: name} // of another image: what needs the program says so when it is missing
	for _, at := range paths {
		if digest, size, err := image.SumFile(j.Image.Dir, strings.TrimPrefix(at, "/")); err == nil {
			j.Manifest.Workload = results.Digested{Name: at, Digest: digest, Size: size}
			return
		}
	}
}
