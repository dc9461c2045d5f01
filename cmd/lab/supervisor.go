package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"lab/bench"
	"lab/bench/crew"
	"lab/bench/engine"
	"lab/bench/results"
	"lab/bench/runs"
	"lab/cmd/cli"
	"lab/scenarios"
	"lab/vm/client"
)

// parts are what a run can be made of.
var parts = runs.Parts{Environments: func(also ...string) []bench.Environment { return environments(also...) }, Scenario: scenarios.Find}

// A supervisor is a run as this command makes it: one that is reported, and
// comes to an exit status.
type supervisor struct {
	runs.Supervisor
	*app
	json    bool
	connect string // the URI of a foreign libvirt, or ""
	live    string // where the run can be watched in a browser, or ""
}

// run measures and reports. Its error's status is the scenario's.
func (s *supervisor) run() error {
	if s.live != "" {
		v, err := s.goLive(s.live, s.Dir)
		if err != nil {
			return err
		}
		defer v.end()
		s.Between = v.between
	}
	// There is a report whatever ended the run: what was measured until then is worth
	// reading.
	end, died := s.measure(s.Supervisor.Run)
	report := s.report(s.Dir, s.Job.UID, s.Job.GID, s.json)
	var interrupted *cli.StatusError
	if errors.As(report, &interrupted) {
		report = nil
	}
	err := s.advise(end, died, report)
	end.Interrupted = end.Interrupted || interrupted != nil
	return status(end, err)
}

// measure is a run of the supervisor's, drawn on this terminal.
func (s *supervisor) measure(run func() (runs.End, error)) (runs.End, error) {
	c := &console{s.app, newMeter(s.Stderr.File)}
	s.Console = c
	defer c.clear()
	return run()
}

// advise adds to what ended a run, and to what went wrong with its report, what
// the user can type next: to go on, or to draw the report when there is room.
func (s *supervisor) advise(end runs.End, died, report error) error {
	err := errors.Join(died, report)
	full := err != nil && (end.Full || errors.Is(report, syscall.ENOSPC))
	next := ""
	switch {
	// A run of one session can be gone on with as soon as it has a trial.
	case (died != nil || end.Interrupted) && s.Job.Options.Times() == 1 && s.hasTrials():
		next = s.Typed(s.resumeWords())
	case full:
		next = s.Typed([]string{"report", s.Dir})
	default:
		return err
	}
	if full {
		return fmt.Errorf("%w\n%s\n     %s", err, say("     the trials in %s are whole; make room there, then type:", s.Dir), next)
	}
	if end.Interrupted {
		s.note(say("to go on with this run, type:") + "\n     " + next)
		return err
	}
	return fmt.Errorf("%w\n     %s\n     %s", err, say("to go on with this run, type:"), next)
}

// hasTrials says whether there is anything to go on with.
func (s *supervisor) hasTrials() bool {
	st, err := os.Stat(filepath.Join(s.Dir, results.TrialsFile))
	return err == nil && st.Size() > 0
}

// resumeWords goes on with this run: what its folder doesn't keep is said again.
func (s *supervisor) resumeWords() []string {
	words := []string{"run", "--resume", s.Dir}
	for _, f := range s.Job.Options.Fields() {
		value := f.String()
		if f.Key == "connect" {
			value = s.connect
		}
		if f.Place && value != "" {
			words = append(words, "--"+f.Flag, value)
		}
	}
	return words
}

// status is the error that a run's end comes to.
func status(end runs.End, err error) error {
	switch {
	case end.Interrupted:
		return cli.Exit(cli.StatusInterrupted, nil)
	// What the worker found wrong in the request is the user's error, as if the command
	// line had been judged here.
	case end.Usage:
		return cli.Exit(cli.StatusUsage, err)
	case err != nil:
		return err
	case end.Outcome == engine.Nothing:
		return cli.Exit(cli.StatusNothing, nil)
	case end.Outcome != engine.Complete:
		return cli.Exit(cli.StatusFailed, nil)
	}
	return nil
}

// A console is the user's terminal during a run.
type console struct {
	*app
	*meter
}

// Say writes a line, below which the progress is drawn anew.
func (c *console) Say(text string) {
	c.clear()
	c.note(inLanguage(text))
}

// Progress draws how far the run is.
func (c *console) Progress(p engine.Progress) { c.draw(p) }

// Draws says whether the worker has to wait until the progress is drawn: where
// nothing is drawn it needn't.
func (c *console) Draws() bool { return c.on }

// passage is a worker's way to a foreign libvirt or else to the engine that DOCKER_HOST
// names; nil where there is neither.
func passage(t *client.Target) *crew.Passage {
	if t != nil {
		return client.Passage(t.Dial)
	}
	host := os.Getenv("DOCKER_HOST")
	if host == "" {
		return nil
	}
	return &crew.Passage{Dial: func() (net.Conn, error) {
		network, address, _ := strings.Cut(host, "://")
		if network != "tcp" && network != "unix" {
			return nil, fmt.Errorf("DOCKER_HOST=%s isn't tcp://HOST:PORT or unix:///PATH; fix: lead it here, ssh -L 2375:/run/docker.sock HOST, and DOCKER_HOST=tcp://127.0.0.1:2375", host)
		}
		return net.DialTimeout(network, address, engineWithin)
	}}
}

// engineWithin is how long a foreign engine may take to accept a connection.
const engineWithin = 10 * time.Second
