//go:build !lean

package main

import (
	"errors"
	"fmt"
	"syscall"

	"lab/bench/crew"
	"lab/bench/engine"
	"lab/bench/runs"
	"lab/scenarios"
	"lab/vm"
)

// parts are what a run can be made of.
var parts = runs.Parts{Environments: environments, Scenario: scenarios.Find}

// A supervisor is a run as this command makes it: one that is reported, and
// comes to an exit status.
type supervisor struct {
	runs.Supervisor
	*app
	json bool
}

// run measures and reports. Its error's status is the scenario's.
func (s *supervisor) run() error {
	end, err := s.measure(s.Supervisor.Run)
	return status(end, s.whatNow(end, err, s.report(s.Dir, s.Job.UID, s.Job.GID, s.json)))
}

// measure is a run of the supervisor's, drawn on this terminal.
func (s *supervisor) measure(run func() (runs.End, error)) (runs.End, error) {
	c := &console{s.app, newMeter(s.stderr)}
	s.Console = c
	defer c.clear()
	return run()
}

// whatNow adds to what ended a run, and to what went wrong with its report, what
// can be done where there was no room for the results.
func (s *supervisor) whatNow(end runs.End, died, report error) error {
	err := errors.Join(died, report)
	if err == nil || !end.Full && !errors.Is(report, syscall.ENOSPC) {
		return err
	}
	then := "lab report "
	if died != nil && s.Job.Times() == 1 {
		then = "lab run --resume "
	}
	return fmt.Errorf("%w\n     the trials in %s are whole; make room there, then: %s%s", err, s.Dir, then, s.Dir)
}

// status is the error that a run's end comes to.
func status(end runs.End, err error) error {
	switch {
	case end.Interrupted:
		return &statusError{statusInterrupted, nil}
	case end.Usage:
		return &statusError{statusUsage, err}
	case err != nil:
		return err
	case end.Outcome == engine.Nothing:
		return &statusError{statusNothing, nil}
	case end.Outcome != engine.Complete:
		return &statusError{statusFailed, nil}
	}
	return nil
}

// A console is the user's terminal during a run.
type console struct {
	*app
	*meter
}

func (c *console) Say(text string) {
	c.clear()
	fmt.Fprintln(c.stderr, "lab: "+text)
}

func (c *console) Progress(p engine.Progress) { c.draw(p) }

func (c *console) Draws() bool { return c.on }

// passage is a worker's way to a foreign libvirt; nil where there is none.
func passage(t *vm.Target) *crew.Passage {
	if t == nil {
		return nil
	}
	return vm.Passage(t.Dial)
}
