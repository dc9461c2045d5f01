//go:build !lean

package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"lab/bench/engine"
	"lab/bench/results"
	"lab/bench/testbed"
	"lab/vm"
)

// A supervisor sees one scenario through: it owns the results folder, the
// terminal and the signals; a worker in a testbed of its own makes the trials.
type supervisor struct {
	*app
	job  *job
	lock *testbed.Lock
	dir  string // results folder, as the user may see it
	json bool

	target *vm.Target // a foreign libvirt, or nil

	// quiet leaves the report out, for a run that is part of something else.
	quiet bool
	// between is called between trials, while the worker waits; only where
	// the job is Paced. May be nil.
	between func(engine.Progress)

	folder  *os.File
	worker  *testbed.Worker
	control *os.File
	meter   *meter
	end     event // the worker's last
	signals int   // how many came
}

// run measures and reports. Its error's status is the scenario's.
func (s *supervisor) run() error {
	sigs := make(chan os.Signal, 4)
	signal.Notify(sigs, syscall.SIGINT, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // nohup lab run …
		signal.Notify(sigs, syscall.SIGHUP)
	}
	defer signal.Stop(sigs)

	var err error
	if s.job.Planned != nil { // it is gone on with
		s.folder, err = os.Open(s.dir)
	} else {
		s.folder, err = results.Create(s.dir, s.job.UID, s.job.GID)
	}
	if err != nil {
		return err
	}
	defer s.folder.Close()
	// From here on the folder can be read back, whatever happens.
	if err := s.write(func(w *results.Writer) error {
		err := errors.Join(w.Machine(&s.job.Machine), w.Manifest(&s.job.Manifest))
		if s.job.Experiment != nil {
			err = errors.Join(err, w.File(results.ExperimentFile, s.job.Experiment))
		}
		return err
	}); err != nil {
		return err
	}
	s.meter = newMeter(s.stderr)
	s.job.Paced = s.meter.on || s.between != nil
	died := s.sessions(sigs)
	s.meter.clear()
	if died != nil {
		if err := s.amend(died); err != nil {
			fmt.Fprintln(s.stderr, "lab:", err)
		}
	}
	if s.quiet {
		return s.status(died)
	}
	if err := s.report(s.dir, s.job.UID, s.job.GID, s.json); err != nil {
		return s.whatNow(died, err)
	}
	return s.status(s.whatNow(died, nil))
}

// whatNow adds to what ended a run, and to what went wrong with its report, what
// can be done where there was no room for the results.
func (s *supervisor) whatNow(died, report error) error {
	err := errors.Join(died, report)
	// The worker's error is a text.
	if err == nil || !strings.Contains(err.Error(), syscall.ENOSPC.Error()) {
		return err
	}
	then := "lab report "
	if died != nil && s.job.times() == 1 {
		then = "lab run --resume "
	}
	return fmt.Errorf("%w\n     the trials in %s are whole; make room there, then: %s%s", err, s.dir, then, s.dir)
}

// status is the error that a run's outcome comes to.
func (s *supervisor) status(died error) error {
	switch {
	case s.signals > 0:
		return &statusError{statusInterrupted, nil}
	case s.end.Usage:
		return &statusError{statusUsage, died}
	case died != nil:
		return died
	case s.end.Outcome == engine.Nothing:
		return &statusError{statusNothing, nil}
	case s.end.Outcome != engine.Complete:
		return &statusError{statusFailed, nil}
	}
	return nil
}

// amend writes into the manifest how a run ended whose worker couldn't.
func (s *supervisor) amend(died error) error {
	run, err := results.Read(s.dir)
	if err != nil {
		return err
	}
	m := &run.Manifest
	m.Ended, m.Outcome = time.Now().UTC(), engine.Failures
	if s.signals > 0 {
		m.Outcome = engine.Interrupted
	} else {
		why, _, _ := strings.Cut(died.Error(), "\n") // what follows is in the log
		m.Notes = append(m.Notes, "The run broke off: "+why+".")
	}
	return s.write(func(w *results.Writer) error { return w.Manifest(m) })
}

func (s *supervisor) write(f func(*results.Writer) error) error {
	w, err := results.NewWriter(s.folder, s.job.UID, s.job.GID)
	if err != nil {
		return err
	}
	return errors.Join(f(w), w.Close())
}
