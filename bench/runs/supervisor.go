package runs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"lab/bench/clean"
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
	Passage *crew.Passage // to a foreign libvirt; where Job.Connect is nil to a foreign engine, or nil

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
	signal.Notify(sigs, Signals()...)
	defer signal.Stop(sigs)

	begin := func(w *results.Writer) error {
		err := errors.Join(w.Machine(&s.Job.Machine), w.Manifest(&s.Job.Manifest))
		for name, data := range map[string][]byte{results.ExperimentFile: s.Job.Experiment, results.GuessFile: s.Job.Guess} {
			if data != nil {
				err = errors.Join(err, w.File(name, data))
			}
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

// Signals are those that ask a command to come to its end.
func Signals() []os.Signal {
	all := []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup lab run …
		all = append(all, syscall.SIGHUP)
	}
	return all
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

// watch runs the worker, and returns when all of its testbed is gone: nil, or
// why it didn't come to its end.
func (s *Supervisor) watch(sigs <-chan os.Signal) error {
	var err error
	s.worker, err = crew.Spawn(crew.Order{Duty: Duty, Job: s.Job, Passage: s.Passage, Files: []crew.File{
		{Name: fileResults, File: s.folder},
		{Name: "lock", File: s.Lock.File()}, // held as long as anything of the run lives
	}})
	if err != nil {
		return err
	}
	for events := s.worker.Events(); events != nil; {
		select {
		case data, ok := <-events:
			if !ok {
				events = nil
				break
			}
			var e event
			if err := json.Unmarshal(data, &e); err != nil {
				return errors.Join(fmt.Errorf("an event of the worker's: %w", err), s.kill())
			}
			s.take(e)
		case sig := <-sigs:
			s.signals++
			if s.signals == 1 {
				s.say("%v: giving up the current trial; what was measured is kept (once more ends it at once)", sig)
				s.worker.Say(sayStop)
			} else {
				s.worker.Kill()
			}
		}
	}
	// A second Ctrl-C ends also a worker that is stuck while it tidies up.
	type ending struct {
		said string
		err  error
	}
	ended := make(chan ending, 1)
	go func() { said, err := s.worker.Wait(); ended <- ending{said, err} }()
	for {
		select {
		case x := <-ended:
			if x.said != "" {
				s.keep(x.said)
			}
			switch {
			case s.end.Outcome != "" && s.end.Err == "":
				if x.err != nil {
					s.say("%v", x.err)
				}
				return nil
			case s.end.Err != "":
				return errors.New(s.end.Err)
			case s.signals > 1:
				return errors.New("ended at once, as asked")
			}
			if x.err == nil {
				x.err = errors.New("ended without a result")
			}
			return fmt.Errorf("the worker %w%s", x.err, crew.Excerpt(x.said))
		case <-sigs:
			s.signals++
			s.worker.Kill()
		}
	}
}

func (s *Supervisor) kill() error {
	s.worker.Kill()
	for range s.worker.Events() {
	}
	_, err := s.worker.Wait()
	return err
}

// keep keeps what the worker said on standard error, where it should have nothing to say.
func (s *Supervisor) keep(said string) {
	err := s.Write(func(w *results.Writer) error {
		f, err := w.Log("worker.log")
		if err != nil {
			return err
		}
		_, err = io.WriteString(f, clean.Text(said))
		return errors.Join(err, f.Close())
	})
	if err != nil {
		s.say("%v", err)
	}
}

func (s *Supervisor) take(e event) {
	switch {
	case e.Plan != nil:
		s.Job.Machine.Acceleration = e.Found
		s.Console.Plan(s.Job, e.Plan)
	case e.Progress != nil:
		s.Console.Progress(*e.Progress)
		if s.Between != nil {
			s.Between(*e.Progress)
		}
		if s.Job.Paced {
			s.worker.Say(sayGo)
		}
	default:
		s.end = e
	}
}
