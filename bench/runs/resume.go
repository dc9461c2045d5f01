package runs

import (
	"fmt"
	"maps"
	"time"

	"lab/bench/engine"
	"lab/bench/results"
)

// Interrupted says whether a run ended before its plan did, in a way that it can
// be resumed from.
func Interrupted(m *results.Manifest) bool {
	switch m.Outcome {
	case engine.Complete:
		return false
	case engine.Failures:
		return m.Died != ""
	}
	return true
}

// Resume makes j the rest of a run, of which cut bytes weren't written to their
// end.
func (j *Job) Resume(run *results.Run, cut int64) {
	j.Done = run.Lines
	trials := map[int]bool{}
	for _, l := range run.Lines {
		trials[l.Trial] = true
		j.Before = max(j.Before, time.Duration(l.At*float64(time.Second)))
	}
	m := run.Manifest // what begin found out is what there was
	m.Outcome, m.Ended, m.Died = "", time.Time{}, ""
	m.Resumed = append(m.Resumed, results.Resumed{At: time.Now().UTC(), Trials: len(trials), Cut: cut > 0})
	j.Manifest, j.Machine, j.Planned = m, run.Machine, m.Cells
	if j.Planned == nil { // it came to an end before its plan
		j.Planned = []results.Cell{}
	}
}

// SameConditions says what isn't any more as it was when the run began.
func SameConditions(run *results.Run, j *Job) error {
	m := run.Manifest
	for _, x := range []struct{ what, was, is, cure string }{
		{"the machine", run.Machine.ID, j.Machine.ID, "resume there"},
		{"the machine's kernel", run.Machine.Kernel, j.Machine.Kernel, "boot that one"},
		{"the image", m.Image.Digest, j.Manifest.Image.Digest, "name the same one with --image"},
		{"the workload", m.Workload.Digest, j.Manifest.Workload.Digest, "name the same image with --image"},
	} {
		if x.was != x.is {
			return fmt.Errorf("resume: %s isn't the same as when %s began (%s, now %s); %s, or begin a new run", x.what, run.Dir, x.was, x.is, x.cure)
		}
	}
	return nil
}

// samePlan compares the cells, and the guests' kernel, of a run that is gone on
// with; without planned ones there is nothing to compare.
func samePlan(planned []results.Cell, kernel results.Digested, now *results.Manifest) error {
	if len(planned) == 0 {
		return nil
	}
	same := len(planned) == len(now.Cells)
	for i := 0; same && i < len(planned); i++ {
		p, c := planned[i], now.Cells[i]
		switch {
		case p.Label() != c.Label() || p.Trials != c.Trials || p.Warmup != c.Warmup:
			same = false
		case (p.NotRun == nil) != (c.NotRun == nil):
			return fmt.Errorf("resume: %s could run then and can't now, or the other way round; fix: begin a new run", p.Label())
		case !maps.Equal(p.Settings, c.Settings):
			return fmt.Errorf("resume: the settings of %s were %v then, and are %v now; fix: begin a new run", p.Label(), p.Settings, c.Settings)
		}
	}
	switch {
	case !same:
		return fmt.Errorf("resume: the scenario's plan isn't the same as then; fix: begin a new run")
	case kernel.Digest != now.Kernel.Digest:
		return fmt.Errorf("resume: the guests' kernel was %s then, and is %s now; fix: --kernel with the same one, or begin a new run", kernel.Name, now.Kernel.Name)
	}
	return nil
}
