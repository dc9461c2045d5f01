//go:build !lean

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"lab/bench/results"
	"lab/bench/testbed"
)

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
			said := <-tail
			if said != "" {
				s.keep(said)
			}
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
			return fmt.Errorf("the worker died: %v%s", err, excerpt(said))
		case <-sigs:
			s.signals++
			s.worker.Kill()
		}
	}
}

// spawn starts the worker and hands it the job. Its events come on the one
// channel, which is closed when it ends; what it wrote to standard error
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
	theirs := []*os.File{jobR, s.folder, ctlR, evW, s.lock.File()}
	unlink := func() {}
	if s.target != nil {
		passage, end, err := link(s.target)
		if err != nil {
			return nil, nil, err
		}
		files, theirs, unlink = append(files, passage), append(theirs, passage), end
	}
	s.worker, err = testbed.Spawn(s.undertaker(), []string{workerArg}, errW, theirs...)
	if err != nil {
		unlink()
		return nil, nil, err
	}
	events, tail := make(chan event), make(chan string, 1)
	go func() {
		defer close(events)
		defer evR.Close()
		defer unlink()
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

// keep keeps what the worker said on standard error, where it should have nothing to say.
func (s *supervisor) keep(said string) {
	err := s.write(func(w *results.Writer) error {
		f, err := w.Log("worker.log")
		if err != nil {
			return err
		}
		_, err = io.WriteString(f, said)
		return errors.Join(err, f.Close())
	})
	if err != nil {
		fmt.Fprintln(s.stderr, "lab:", err)
	}
}

func (s *supervisor) say(c byte) { s.control.Write([]byte{c}) }

func (s *supervisor) take(e event) {
	switch {
	case e.Plan != nil:
		s.announce(e.Plan)
	case e.Progress != nil:
		s.meter.draw(*e.Progress)
		if s.between != nil {
			s.between(*e.Progress)
		}
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
