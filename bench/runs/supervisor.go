package runs

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"lab/bench/crew"
	"lab/bench/engine"
	"lab/bench/results"
	"lab/bench/testbed"
)

// A Console is who watches a run. It is called between trials only.
type Console interface {
	// Say says something to the user, in one line.
	Say(text string)
	// Plan says what will be done: the cells as they came out.
	Plan(j *Job, cells []results.Cell)
	// Progress draws how far the run is.
	Progress(engine.Progress)
	// Draws says whether Progress draws anything, so that it is worth waiting for.
	Draws() bool
}

// A Supervisor sees one scenario through: it owns the results folder and the
// signals; a worker in a testbed of its own makes the trials.
type Supervisor struct {
	Job     *Job
	Lock    *testbed.Lock
	Dir     string // results folder, as the user may see it
	Console Console
	Passage *crew.Passage // to a foreign libvirt; nil where Job.Connect is

	// Between is called between trials, while the worker waits. May be nil.
	Between func(engine.Progress)

	folder  *os.File
	worker  *crew.Worker
	end     event // the worker's last
	signals int   // how many came
}

// An End is how a run ended.
type End struct {
	Outcome     string // as the manifest has it; "" where the worker didn't come to one
	Interrupted bool   // by a signal
	Usage       bool   // what was asked for is wrong: the error is the user's
	Full        bool   // a file system had no room
}

// Run measures. The error says why the worker didn't come to its end; the folder
// can be read back all the same.
func (s *Supervisor) Run() (End, error) {
	sigs := make(chan os.Signal, 4)
	signal.Notify(sigs, syscall.SIGINT, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // nohup lab run …
		signal.Notify(sigs, syscall.SIGHUP)
	}
	defer signal.Stop(sigs)

	begin := func(w *results.Writer) error {
		err := errors.Join(w.Machine(&s.Job.Machine), w.Manifest(&s.Job.Manifest))
		if s.Job.Experiment != nil {
			err = errors.Join(err, w.File(results.ExperimentFile, s.Job.Experiment))
		}
		return err
	}
	var err error
	if s.Job.Planned != nil { // it is resumed
		if s.folder, err = os.Open(s.Dir); err == nil {
			err = s.Write(begin)
		}
	} else {
		s.folder, err = results.Create(s.Dir, s.Job.UID, s.Job.GID, begin)
	}
	if s.folder != nil {
		defer s.folder.Close()
	}
	if err != nil {
		return End{}, err
	}
	s.Job.Paced = s.Console.Draws() || s.Between != nil
	died := s.sessions(sigs)
	if died != nil {
		if err := s.amend(died); err != nil {
			s.Console.Say(err.Error())
		}
	}
	full := s.end.Full || errors.Is(died, syscall.ENOSPC)
	return End{Outcome: s.end.Outcome, Interrupted: s.signals > 0, Usage: s.end.Usage, Full: full}, died
}

// amend writes into the manifest how a run ended whose worker couldn't.
func (s *Supervisor) amend(died error) error {
	run, err := results.Read(s.Dir)
	if err != nil {
		return err
	}
	m := &run.Manifest
	m.Ended, m.Outcome = time.Now().UTC(), engine.Failures
	if s.signals > 0 {
		m.Outcome = engine.Interrupted
	} else {
		m.Died, _, _ = strings.Cut(died.Error(), "\n") // what follows is in the log
	}
	return s.Write(func(w *results.Writer) error { return w.Manifest(m) })
}

// Write writes into the results folder, through a descriptor of it.
func (s *Supervisor) Write(f func(*results.Writer) error) error {
	w, err := results.NewWriter(s.folder, s.Job.UID, s.Job.GID)
	if err != nil {
		return err
	}
	return errors.Join(f(w), w.Close())
}

// Amend changes the manifest of a run that has ended.
func (s *Supervisor) Amend(change func(*results.Manifest)) error {
	run, err := results.Read(s.Dir)
	if err != nil {
		return err
	}
	change(&run.Manifest)
	f, err := os.Open(s.Dir)
	if err != nil {
		return err
	}
	defer f.Close()
	s.folder = f
	return s.Write(func(w *results.Writer) error { return w.Manifest(&run.Manifest) })
}

func (s *Supervisor) say(format string, args ...any) { s.Console.Say(fmt.Sprintf(format, args...)) }
