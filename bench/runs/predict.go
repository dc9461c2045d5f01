package runs

import (
	"cmp"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"time"

	"lab/bench"
	"lab/bench/results"
	"lab/bench/stats"
)

// usual is how many instructions a second an emulated guest executes in ring 0 on
// the machine of whose times Guess knows.
const usual = 490e6

// Guess is the least that a trial of the cell may take, before any was made: the
// start and the end of its instances, and what the scenario expects of the rest.
// Where the probe of acceleration found the machine to be slower, starts take longer
// by as much.
func Guess(c results.Cell, found results.Acceleration) time.Duration {
	slower := func(pace float64) float64 {
		if pace <= 0 { // not probed
			return 1
		}
		return max(1, usual/pace)
	}
	start := 0.004 * slower(found.TCGPace.Ring0)
	switch c.Settings["accel"] {
	case "tcg":
		start = 1.7 * slower(found.TCGPace.Ring0)
	case "kvm":
		start = slower(found.KVMPace.Ring0)
	}
	return time.Duration((float64(max(c.N, 1))*start + c.Expect) * float64(time.Second))
}

// Earlier reads the runs of this machine that are where runs are left by
// default, and in the folder of out, several of one call being in one folder; the newest
// first.
func Earlier(machineID, out string) (runs []*results.Run) {
	dirs := []string{"results"}
	if out != "" {
		dirs = append(dirs, filepath.Dir(out))
	}
	for _, dir := range dirs {
		found, _ := filepath.Glob(filepath.Join(dir, "*", results.ManifestFile))
		below, _ := filepath.Glob(filepath.Join(dir, "*", "*", results.ManifestFile))
		found = append(found, below...)
		for _, m := range found {
			// What can't be read is no run to learn from.
			run, err := results.Read(filepath.Dir(m))
			if err == nil && machineID != "" && run.Machine.ID == machineID {
				runs = append(runs, run)
			}
		}
	}
	slices.SortFunc(runs, func(a, b *results.Run) int { return b.Manifest.Started.Compare(a.Manifest.Started) })
	return runs
}

// What a run would be, and how long it would take.
type (
	// A Prediction is that of one scenario.
	Prediction struct {
		Scenario string          `json:"scenario"`
		Folder   string          `json:"folder,omitempty"` // of a run whose folder isn't named as its scenario
		Cells    []PredictedCell `json:"cells"`
		Sessions int             `json:"sessions"` // all numbers of trials are of all of these together
		Trials   int             `json:"trials"`
		Warmup   int             `json:"warmup"`
		Seconds  *float64        `json:"seconds"`            // null where a cell's aren't known
		MaxTime  float64         `json:"max_time,omitempty"` // seconds after which the trials end, whatever else
		TooFew   []string        `json:"too_few,omitempty"`  // rows that can't tell a difference, however large

		Planned []results.Cell `json:"-"` // the rows as a manifest would have them
	}
	// A PredictedCell is that of one of its rows.
	PredictedCell struct {
		Cell    string   `json:"cell"`
		Trials  int      `json:"trials"`
		Warmup  int      `json:"warmup"`
		Seconds *float64 `json:"seconds_per_trial"` // median of an earlier run on this machine; null: there is none
		From    string   `json:"from,omitempty"`    // its folder
		Like    string   `json:"like,omitempty"`    // the row there that this one is taken to be like; "": itself
	}
)

// Predict says what the job would be for a scenario. How long it takes is told
// from an earlier run on this machine alone: a guest takes a hundred times as long
// on one machine as on another.
func (j *Job) Predict(p Parts, scenario string, before []*results.Run) Prediction {
	out := Prediction{Scenario: scenario, Sessions: j.Options.Times(), MaxTime: j.Options.MaxTime.Seconds()}
	total, known := 0.0, true
	cells := j.Numbered(p, scenario).Planned(j.Options, p.Environments(j.Options.Environments...))
	for _, c := range cells {
		out.Planned = append(out.Planned, results.Cell{Env: c.Env, Variant: c.Variant, N: c.N, Trials: c.Trials, Warmup: c.Warmup})
	}
	if j.Options.Paired {
		for i, with := range bench.Partners(cells, func(int) bool { return true }) {
			if with >= 0 {
				out.Planned[i].With = out.Planned[with].Label()
			}
		}
		results.Together(out.Planned)
	}
	for i, c := range cells {
		c.Trials, c.Warmup = out.Planned[i].Trials, out.Planned[i].Warmup
		x := PredictedCell{Cell: results.Label(c.Env, c.Variant, c.N), Trials: c.Trials * out.Sessions, Warmup: c.Warmup * out.Sessions}
		if x.setTimes(before, scenario, c, j); x.Seconds != nil {
			total += *x.Seconds * float64(x.Trials+x.Warmup)
		} else {
			known = false
		}
		out.Trials += x.Trials
		out.Warmup += x.Warmup
		out.Cells = append(out.Cells, x)
	}
	if known {
		out.Seconds = &total
	}
	return out
}

// setTimes fills in what a trial of the cell x takes: the median in the newest run
// that was asked for in the same way and has some, or else of a row that is most
// like it, of the same environment. The lengths of a trial's parts are the
// scenario's, and shorter in a first look: where that row had others than c, or
// fewer instances, what is guessed of both makes the difference.
func (x *PredictedCell) setTimes(runs []*results.Run, scenario string, c bench.Cell, j *Job) {
	now := results.Cell{N: c.N, Expect: c.Expect.Seconds()}
	var like *results.Cell
	for _, same := range []bool{true, false} {
		for _, r := range runs {
			if m := r.Manifest; m.Scenario != scenario || m.Accel != cmp.Or(j.Options.Accel, "auto") || !sameAsked(m.Asked, j) {
				continue
			}
			spent := r.Spent()
			for i := range r.Manifest.Cells {
				was := &r.Manifest.Cells[i]
				s := spent[was.Label()]
				if len(s) == 0 || was.Env != c.Env || same && was.Label() != x.Cell {
					continue
				}
				if like != nil && math.Abs(like.Expect-now.Expect) <= math.Abs(was.Expect-now.Expect) {
					continue
				}
				like, now.Settings = was, was.Settings
				took := max(stats.Median(s)+(Guess(now, r.Machine.Acceleration)-Guess(*was, r.Machine.Acceleration)).Seconds(), 0)
				x.Seconds, x.From = &took, r.Dir
				if !same {
					x.Like = was.Label()
				}
			}
			if like != nil {
				return
			}
		}
	}
}

// sameAsked says whether a run had the settings for all cells, and the
// processors, that a job has. The acceleration is compared by itself, and a
// kernel's path says something of a machine alone.
func sameAsked(was *results.Asked, j *Job) bool {
	if was == nil {
		return false
	}
	then, now := was.Fixed(), j.Options.Fixed()
	for _, of := range []map[string]string{then, now} {
		delete(of, "accel")
		delete(of, "kernel")
	}
	return maps.Equal(then, now) && was.CPUs == j.Options.CPUs && was.Paired == j.Options.Paired
}
