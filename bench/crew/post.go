package crew

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// A Duty is what a worker can be told to do. What it returns is the last event;
// it has the time until then.
type Duty func(*Post) any

// A Post is where a worker works: what its supervisor handed it.
type Post struct {
	job     json.RawMessage
	files   map[string]*os.File
	passage *os.File // or nil
	control *os.File

	mu     sync.Mutex
	events *json.Encoder
}

// Work is the worker's main function; it returns the exit status. Nothing is read
// from standard input. It must be called on the main thread.
func Work(duties map[string]Duty) int {
	const failed, usage = 1, 2
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "lab: a worker is started by lab alone")
		return usage
	}
	unix.Umask(0o022) // whatever the caller's is, the same for all environments
	p, duty, err := takePost()
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab: worker: read order:", err)
		return failed
	}
	do := duties[duty]
	if do == nil {
		fmt.Fprintf(os.Stderr, "lab: worker: there is no duty %q\n", duty)
		return failed
	}
	// Not on this goroutine: it holds the main thread, which must never be the
	// parent of anything that is waited for (see testbed.Reap).
	last := make(chan any)
	go func() { last <- do(p) }()
	if err := p.Tell(<-last); err != nil {
		return failed
	}
	return 0
}

// takePost reads the order.
func takePost() (*Post, string, error) {
	in := os.NewFile(fdOrder, "order")
	unix.CloseOnExec(fdOrder)
	var e envelope
	if err := json.NewDecoder(in).Decode(&e); err != nil {
		return nil, "", err
	}
	in.Close()
	// Before anything is executed: what the testbed's daemons inherit they would
	// keep.
	take := func(fd int, name string) *os.File {
		unix.CloseOnExec(fd)
		return os.NewFile(uintptr(fd), name)
	}
	unix.CloseOnExec(3)
	p := &Post{job: e.Job, files: map[string]*os.File{}, control: take(fdControl, "control")}
	p.events = json.NewEncoder(take(fdEvents, "events"))
	fd := fdFiles
	for _, name := range e.Files {
		p.files[name] = take(fd, name)
		fd++
	}
	if e.Passage {
		p.passage = take(fd, "passage")
	}
	return p, e.Duty, nil
}

// Job reads what is to be done.
func (p *Post) Job(v any) error { return json.Unmarshal(p.job, v) }

// File is the one handed over under that name, or nil.
func (p *Post) File(name string) *os.File { return p.files[name] }

// Dial is the way to open connections by the supervisor's [Passage]; nil where
// there is none.
func (p *Post) Dial() (func() (net.Conn, error), error) {
	if p.passage == nil {
		return nil, nil
	}
	return Through(p.passage)
}

// Tell tells the supervisor an event.
func (p *Post) Tell(event any) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.events.Encode(event)
}

// Obey calls do for each byte that the supervisor says, and ends the process, and
// with it the testbed, when the supervisor is gone.
func (p *Post) Obey(do func(byte)) {
	for r := bufio.NewReader(p.control); ; {
		c, err := r.ReadByte()
		if err != nil {
			os.Exit(1)
		}
		do(c)
	}
}
