package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"lab/bench"
	"lab/bench/results"
	"lab/bench/testbed"
)

// A supervisor sees one scenario through: it owns the results folder, the
// terminal and the signals; a worker in a testbed of its own makes the trials.
type supervisor struct {
	*app
	job  *job
	lock *testbed.Lock
	dir  string // results folder, as the user may see it
	json bool

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
	if s.folder, err = results.Create(s.dir, s.job.UID, s.job.GID); err != nil {
		return err
	}
	defer s.folder.Close()
	// From here on the folder can be read back, whatever happens.
	if err := s.write(func(w *results.Writer) error {
		return errors.Join(w.Machine(&s.job.Machine), w.Manifest(&s.job.Manifest))
	}); err != nil {
		return err
	}
	s.meter = newMeter(s.stderr)
	s.job.Paced = s.meter.on
	died := s.watch(sigs)
	s.meter.clear()
	if died != nil {
		if err := s.amend(died); err != nil {
			fmt.Fprintln(s.stderr, "lab:", err)
		}
	}
	if err := s.report(s.dir, s.job.UID, s.job.GID, s.json); err != nil {
		return errors.Join(died, err)
	}
	return s.status(died)
}

// watch runs the worker, and returns when all of its testbed is gone: nil, or
// why it didn't come to its end.
func (s *supervisor) watch(sigs <-chan os.Signal) error {
	events, tail, err := s.spawn()
	if err != nil {
		return err
	}
	for events != nil {
		select {
		case e, ok := <-events:
			if !ok {
				events = nil
				break
			}
			s.take(e)
		case sig := <-sigs:
			s.signals++
			if s.signals == 1 {
				s.meter.clear()
				fmt.Fprintf(s.stderr, "lab: %v: giving up the current trial; a report of what was measured follows (again: end at once)\n", sig)
				s.say(sayStop)
			} else {
				s.worker.Kill()
			}
		}
	}
	// A second Ctrl-C ends also a worker that is stuck while it tidies up.
	ended := make(chan error, 1)
	go func() { ended <- s.worker.Wait() }()
	for {
		select {
		case err = <-ended:
			s.control.Close()
			last := <-tail
			switch {
			case s.end.Outcome != "" && s.end.Err == "":
				if err != nil {
					fmt.Fprintln(s.stderr, "lab:", err)
				}
				return nil
			case s.end.Err != "":
				return errors.New(s.end.Err)
			case s.signals > 1:
				return errors.New("ended at once, as asked")
			}
			return fmt.Errorf("the worker died: %v%s", err, last)
		case <-sigs:
			s.signals++
			s.worker.Kill()
		}
	}
}

// spawn starts the worker and hands it the job. Its events come on the one
// channel, which is closed when it ends; the last lines of its standard error
// on the other.
func (s *supervisor) spawn() (<-chan event, <-chan string, error) {
	var files []*os.File // the worker's
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	var errs []error
	pipe := func() (r, w *os.File) {
		r, w, err := os.Pipe()
		errs = append(errs, err)
		return r, w
	}
	jobR, jobW := pipe()
	ctlR, ctlW := pipe()
	evR, evW := pipe()
	errR, errW := pipe()
	files = []*os.File{jobR, ctlR, evW, errW}
	if err := errors.Join(errs...); err != nil {
		return nil, nil, err
	}
	var err error
	s.control = ctlW
	s.worker, err = testbed.Spawn([]string{workerArg}, errW, jobR, s.folder, ctlR, evW, s.lock.File())
	if err != nil {
		return nil, nil, err
	}
	events, tail := make(chan event), make(chan string, 1)
	go func() {
		defer close(events)
		defer evR.Close()
		for dec := json.NewDecoder(evR); ; {
			var e event
			if dec.Decode(&e) != nil {
				return
			}
			events <- e
		}
	}()
	go func() { tail <- keepTail(errR) }()
	// An error shows as the worker's death, with a better reason.
	go func() { json.NewEncoder(jobW).Encode(s.job); jobW.Close() }()
	return events, tail, nil
}

func (s *supervisor) say(c byte) { s.control.Write([]byte{c}) }

func (s *supervisor) take(e event) {
	switch {
	case e.Plan != nil:
		s.announce(e.Plan)
	case e.Progress != nil:
		s.meter.draw(*e.Progress)
		if s.job.Paced {
			s.say(sayGo)
		}
	case e.Note != "":
		s.meter.clear()
		fmt.Fprintln(s.stderr, "lab:", e.Note)
	default:
		s.end = e
	}
}

// announce says in one line what will be done.
func (s *supervisor) announce(cells []results.Cell) {
	var labels []string
	trials, warmup := 0, 0
	var about time.Duration
	for _, c := range cells {
		if c.NotRun != nil {
			fmt.Fprintf(s.stderr, "lab: %s can't run: %s\n", c.Label(), reason(c.NotRun))
			continue
		}
		labels = append(labels, c.Label())
		trials += c.Trials
		warmup += c.Warmup
		about += time.Duration(c.Trials+c.Warmup) * guess(c)
	}
	if len(labels) == 0 {
		return
	}
	fmt.Fprintf(s.stderr, "lab: %s: %s; %d trials and %d warm-ups in shuffled order, seed %d; about %s\n",
		s.job.Scenario, strings.Join(labels, ", "), trials, warmup, s.job.Manifest.Seed, roughly(about))
}

func reason(n *results.NotRun) string {
	if n.Cure == "" {
		return n.Reason
	}
	return n.Reason + "; " + n.Cure
}

// guess is how long a trial of the cell may take, before any was made.
func guess(c results.Cell) time.Duration {
	switch c.Settings["accel"] {
	case "tcg":
		return 5 * time.Second
	case "kvm":
		return time.Second
	}
	return 10 * time.Millisecond
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
	case s.end.Outcome == bench.Nothing:
		return &statusError{statusNothing, nil}
	case s.end.Outcome != bench.Complete:
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
	m.Ended, m.Outcome = time.Now().UTC(), bench.Failures
	if s.signals > 0 {
		m.Outcome = bench.Interrupted
	} else {
		m.Notes = append(m.Notes, "The run broke off: "+died.Error())
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
