package crew

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"lab/bench/clean"
	"lab/bench/launch"
	"lab/bench/testbed"
)

// Arg is the first argument of a program that is a worker. It isn't for users,
// and does nothing useful anywhere else.
const Arg = "__worker"

// Descriptors that the worker starts with; testbed.Spawn hands over the
// testbed's own as 3.
const (
	fdOrder = 4 + iota
	fdControl
	fdEvents
	fdFiles // the first of those that the order names
)

// An Order is what a worker is to do.
type Order struct {
	Duty    string   // which of [Work]'s
	Job     any      // handed over as JSON
	Files   []File   // handed over under their names
	Passage *Passage // its way to open connections; nil: none
	Stderr  *os.File // where its standard error goes; nil: kept, for Wait
}

// A File is a descriptor that the worker gets. It stays its owner's.
type File struct {
	Name string
	*os.File
}

// envelope is the order as it is written.
type envelope struct {
	Duty    string
	Files   []string
	Passage bool
	Job     json.RawMessage
}

// A Worker is the worker as its supervisor sees it.
type Worker struct {
	process *testbed.Worker
	control *os.File
	events  chan json.RawMessage
	said    chan string
}

// Spawn starts a worker and hands it the order. It must be called from the main
// thread, which the caller must be locked to: see testbed.Spawn. Should this process
// be killed its program is executed once more, to clean up: its main function begins
// with testbed.Bury.
func Spawn(o Order) (_ *Worker, err error) {
	job, err := json.Marshal(o.Job)
	if err != nil {
		return nil, fmt.Errorf("spawn worker: %w", err)
	}
	e := envelope{Duty: o.Duty, Passage: o.Passage != nil, Job: job}
	var theirs, ours []*os.File // pipes' ends
	defer func() {
		for _, f := range theirs {
			f.Close()
		}
		if err != nil {
			for _, f := range ours {
				f.Close()
			}
		}
	}()
	pipe := func() (r, w *os.File) {
		r, w, perr := os.Pipe()
		err = errors.Join(err, perr)
		return r, w
	}
	orderR, orderW := pipe()
	controlR, controlW := pipe()
	eventsR, eventsW := pipe()
	theirs, ours = []*os.File{orderR, controlR, eventsW}, []*os.File{orderW, controlW, eventsR}
	w := &Worker{control: controlW, events: make(chan json.RawMessage), said: make(chan string, 1)}
	stderr := o.Stderr
	if stderr == nil {
		r, wr := pipe()
		theirs, ours, stderr = append(theirs, wr), append(ours, r), wr
		defer func() {
			if err == nil {
				go func() { w.said <- keepTail(r) }()
			}
		}()
	} else {
		w.said <- ""
	}
	if err != nil {
		return nil, err
	}
	files := []*os.File{orderR, controlR, eventsW}
	for _, f := range o.Files {
		e.Files = append(e.Files, f.Name)
		files = append(files, f.File)
	}
	end := func() {}
	if o.Passage != nil {
		var passage *os.File
		if passage, end, err = o.Passage.Open(); err != nil {
			return nil, err
		}
		files, theirs = append(files, passage), append(theirs, passage)
	}
	if w.process, err = testbed.Spawn(launch.Undertaker(os.Args[0]), []string{Arg}, stderr, files...); err != nil {
		end()
		return nil, err
	}
	// An error shows as the worker's death, with a better reason.
	go func() { json.NewEncoder(orderW).Encode(e); orderW.Close() }()
	go func() {
		defer close(w.events)
		defer eventsR.Close()
		defer end()
		for dec := json.NewDecoder(eventsR); ; {
			var e json.RawMessage
			if dec.Decode(&e) != nil {
				return
			}
			w.events <- e
		}
	}()
	return w, nil
}

// Events are what the worker tells, until it ends; somebody must take them.
func (w *Worker) Events() <-chan json.RawMessage { return w.events }

// Say says a byte to the worker, which may be gone.
func (w *Worker) Say(b byte) { w.control.Write([]byte{b}) }

// Kill ends the worker at once, and with it all that is in the testbed.
func (w *Worker) Kill() { w.process.Kill() }

// Wait waits until the worker has ended and its testbed is gone; said is what it
// wrote to standard error, where Order.Stderr was nil: its beginning and its end.
func (w *Worker) Wait() (said string, err error) {
	err = w.process.Wait()
	w.control.Close()
	return <-w.said, err
}

// keepTail reads f to its end and returns its beginning and its end.
func keepTail(f *os.File) string {
	defer f.Close()
	t := clean.Tail{Head: 64 << 10, Most: 64 << 10}
	io.Copy(&t, f) // an error is its end, mostly
	return t.String()
}

// Excerpt is the few lines of a worker's last words that a person wants to see
// at once, indented.
func Excerpt(said string) string {
	said = strings.TrimSpace(said)
	if said == "" {
		return ""
	}
	lines := strings.Split(said, "\n")
	if len(lines) > 8 {
		lines = append(lines[:8:8], "… (more in logs/worker.log)")
	}
	return "\n     " + strings.Join(lines, "\n     ")
}
