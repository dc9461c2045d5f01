package runs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"lab/bench/clean"
	"lab/bench/crew"
	"lab/bench/results"
)

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
				s.say("%v: giving up the current trial; a report of what was measured follows (once more ends it at once)", sig)
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
