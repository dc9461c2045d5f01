package runs

import (
	"fmt"
	"os"
	"time"

	"lab/bench/engine"
	"lab/bench/results"
)

// sessions makes the whole set as many times as was asked, each by a worker of its
// own in a testbed of its own: what a machine does otherwise from one day, one
// boot of a daemon, one layout of memory to the next, no trial within one shows.
func (s *Supervisor) sessions(sigs <-chan os.Signal) error {
	if s.Job.Options.Sessions < 2 {
		return s.watch(sigs)
	}
	j, failed := s.Job, false
	for j.Session = 1; ; j.Session++ {
		s.say("session %d of %d", j.Session, j.Options.Sessions)
		s.end = event{}
		if err := s.watch(sigs); err != nil {
			return err
		}
		failed = failed || s.end.Outcome == engine.Failures
		if s.signals > 0 || s.end.Outcome == engine.Nothing {
			return nil
		}
		run, err := results.Read(s.Dir)
		if err != nil {
			return err
		}
		if j.Session == j.Options.Sessions {
			if failed && s.end.Outcome == engine.Complete {
				s.end.Outcome, run.Manifest.Outcome = engine.Failures, engine.Failures
				return s.Write(func(w *results.Writer) error { return w.Manifest(&run.Manifest) })
			}
			return nil
		}
		// The next one's manifest is this one's: notes and what was found stay.
		j.Manifest = run.Manifest
		j.Manifest.Outcome, j.Manifest.Ended = "", time.Time{}
		for _, l := range run.Lines {
			j.First.Trial, j.First.Block = max(j.First.Trial, l.Trial+1), max(j.First.Block, l.Block+1)
			j.Before = max(j.Before, time.Duration(l.At*float64(time.Second)))
		}
	}
}

// together makes one list of a session's cells and of those of the sessions before
// it: a row that ran in one of them has trials, and stays a row. What kept it from
// running in another is noted.
func together(earlier []results.Cell, m *results.Manifest, session int) {
	if len(earlier) != len(m.Cells) {
		return // the first one, or one that was broken off
	}
	for i := range m.Cells {
		was, is := earlier[i].NotRun, m.Cells[i].NotRun
		switch label := m.Cells[i].Label(); {
		case was == nil && is != nil:
			m.Notes = append(m.Notes, fmt.Sprintf("%s has no trials of session %d: %s", label, session, is.Because()))
			m.Cells[i] = earlier[i]
		case was != nil && is == nil:
			m.Notes = append(m.Notes, fmt.Sprintf("%s has no trials of the sessions before session %d: %s", label, session, was.Because()))
		}
	}
}
