package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/cgroup"
	"lab/bench/clock"
)

// A Process is a planned, running or ended program. It is a bench.Instance and
// a bench.Tracer.
type Process struct {
	plan Plan

	began clock.Time
	marks []clock.Mark
	tape  Tape
	line  lifeline
	kept  []*os.File // closed once the program executes
	tasks []*os.File // of those, what lets into a v1 cgroup
	ready *os.File
	tty   *os.File
	leads []byte // where the child writes its PID; nil: nowhere

	accounts bool // marks have the processor time
	before   time.Duration

	ended chan struct{} // closed when the program has ended, or never ran
	exit  bench.Exit
	err   error // why waiting failed

	mu      sync.Mutex // guards what follows; and the PID against its reuse
	started bool
	doomed  bool // to be killed as soon as it is there
	reaped  bool
	pid     int
	group   *cgroup.Group
	owned   bool // group goes with the program

	judge  sync.Once
	once   sync.Once
	closed error
}

// New returns a process that Start will start. It makes nothing yet.
func New(p Plan) *Process {
	// Errors show again at the start that needs these.
	if p.Pinned && p.Names == nil {
		names()
	}
	if c := p.Command; p.Null == nil && !c.TTY && slices.ContainsFunc([]*os.File{c.Stdin, c.Stdout, c.Stderr}, func(f *os.File) bool { return f == nil || f == Null }) {
		null()
	}
	// Memory is taken here, and touched: a page of the heap that is new costs
	// a fault, which is no part of a start.
	return &Process{plan: p, ended: make(chan struct{}), marks: make([]clock.Mark, 0, 32), tape: Tape{
		calls: make([]call, 0, 32), keep: make([]any, 0, 48),
	}}
}

// Ready is the read end of the pipe that is the program's standard output.
func (p *Process) Ready() *os.File { return p.ready }

// Terminal is the master end of the pseudo-terminal that the program runs on,
// where Command.TTY was set and Stdin was nil; else nil. The Process closes it.
func (p *Process) Terminal() *os.File { return p.tty }

// Started is when Start was called.
func (p *Process) Started() clock.Time { return p.began }

// Marks are the ends of the plan's steps, of the marks on the child's tape, and
// "exec".
func (p *Process) Marks() []clock.Mark { return p.marks }

// Inspect names the process.
func (p *Process) Inspect() (map[string]string, error) {
	return map[string]string{"pid": strconv.Itoa(p.PID())}, nil
}

// LastPhase is none of its own: the workload's first byte.
func (p *Process) LastPhase() string { return "" }

// PID is the program's, as the lab's own PID namespace numbers it; 0 before
// Start.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pid
}

// Announce has the child write its PID to some memory, in decimal, as the first
// thing that it does: see [Watcher.Leads]. It is to be called before Start; nil is
// nowhere.
func (p *Process) Announce(to []byte) {
	p.leads = to
	procFolder() // before the thread has another root
}

// Group is the cgroup that the program is in, or nil.
func (p *Process) Group() *cgroup.Group { return p.group }

// Start runs the plan. It returns when the program executes. An error carries
// blame: the workload's for a program that can't be found or executed (see
// [*ExecError]), the lab's or the machine's for a step.
func (p *Process) Start(ctx context.Context) error {
	began := clock.Now()
	p.mu.Lock()
	again := p.started
	p.started = true
	p.mu.Unlock()
	if again {
		return errors.New("start: started or closed before")
	}
	p.began = began
	if err := ctx.Err(); err != nil {
		close(p.ended)
		return fmt.Errorf("start: %w", err)
	}
	if Alone.Load() && p.plan.plain() {
		// Go ends no thread but those of goroutines that are locked to them, so this
		// one, of whose end the program is to die, ends with the lab.
		err := p.begin()
		if err == nil {
			go p.await()
		}
		return err
	}
	var err error
	done := newBaton()
	onThread(func() {
		p.live(func(e error) {
			err = e
			done.pass()
		})
	})
	done.take()
	return err
}

// live is the whole life of a program, on its disposable thread. started is
// called when Start may return.
func (p *Process) live(started func(error)) {
	err := p.begin()
	started(err)
	if err == nil {
		p.await()
	}
	// The thread ends here, and with it the last hold on its namespaces.
}

// begin starts the program, or undoes what of it was done.
func (p *Process) begin() error {
	p.before = p.cpu(unix.CLOCK_THREAD_CPUTIME_ID)
	p.mark("thread")
	err := p.spawn()
	if err != nil {
		p.forget()
		p.release()
		close(p.ended)
	}
	return err
}

// await waits for the end of the program, which runs, or leaves that to the reaper.
func (p *Process) await() {
	p.forget()
	if p.leave() {
		return
	}
	// By PID alone: a wait for any child would take the exit status away
	// from whoever else waits in this process.
	for {
		// The end is seen with WNOWAIT first: while the zombie is there its
		// PID isn't given to another process, so that Signal can't hit a
		// stranger.
		if err := unix.Waitid(unix.P_PID, p.pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != unix.EINTR {
			break
		}
	}
	p.bury(clock.Now(), p.release)
}

// forget lets go of what only the start needed. Each further start copies the lab's
// table of descriptors, and its child closes them all: what a thousand living
// instances kept open would make the next one late.
func (p *Process) forget() {
	for _, f := range p.kept {
		f.Close()
	}
	p.kept, p.tasks, p.tape = nil, nil, Tape{}
}

// release lets go of the namespaces that only the running program needed.
func (p *Process) release() {
	if p.plan.Leave != nil {
		p.plan.Leave()
	}
}

// spawn runs the steps, then forks; p.pid is set when it returns nil.
func (p *Process) spawn() (err error) {
	c := &p.plan.Command
	if len(c.Argv) == 0 || c.Argv[0] == "" {
		return ErrNoCommand
	}
	// Close undoes a group also where a later step fails.
	if p.plan.Group != nil {
		g, err := p.plan.Group()
		if err != nil {
			return fmt.Errorf("start: cgroup: %w", err)
		}
		p.mu.Lock()
		p.group, p.owned = g, true
		p.mu.Unlock()
	} else {
		p.group = p.plan.Join
	}
	into := -1
	if p.group != nil {
		v2, tasks, err := p.group.Entrance()
		p.tasks = tasks
		p.kept = append(p.kept, tasks...)
		if v2 != nil {
			p.kept = append(p.kept, v2)
			into = int(v2.Fd())
		}
		if err != nil {
			return fmt.Errorf("start: %w", err)
		}
		p.mark("cgroup")
	}
	stdio, err := p.stdio()
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	defer stdio.close()
	if c.TTY && c.Stdin == nil && p.plan.Terminal == nil {
		if err := p.terminal(stdio, ownTerminal); err != nil {
			return fmt.Errorf("start: %w", err)
		}
	}
	t := &Thread{p}
	for _, s := range p.plan.Steps {
		if err := s.Do(t); err != nil {
			return fmt.Errorf("start: %s: %w", s.Name, err)
		}
		p.mark(s.Name)
	}
	if c.TTY && c.Stdin == nil && p.plan.Terminal != nil {
		if err := p.terminal(stdio, p.plan.Terminal); err != nil {
			return fmt.Errorf("start: %w", err)
		}
	}
	if err := stdio.openNull(p.plan.Null); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	find := p.plan.Find
	if find == nil {
		find = PathInside
	}
	prog, err := executable(find(*c), c, p.plan.Pinned)
	if err != nil {
		return bench.Blamed(bench.BlameWorkload, err)
	}
	defer func() { unix.Close(prog.file) }() // pin may change it
	tape := &p.tape
	if err := p.record(t, tape, prog, stdio); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	out := new(outcome)
	// Descriptors that another thread opens without O_CLOEXEC, and files
	// that it still writes, stay out of the child.
	syscall.ForkLock.Lock()
	pid, errno := fork(p.plan.Flags, into, tape.calls, out, &p.line)
	syscall.ForkLock.Unlock()
	runtime.KeepAlive(tape)
	runtime.KeepAlive(stdio)
	if errno != 0 {
		return fmt.Errorf("start: %w", cloneError(errno))
	}
	thread := p.cpu(unix.CLOCK_THREAD_CPUTIME_ID) - p.before // which slept as the child ran
	for _, m := range tape.read() {
		m.CPU += thread
		p.marks = append(p.marks, m)
	}
	if out.failed != 0 {
		for {
			if _, err := unix.Wait4(pid, nil, 0, nil); err != unix.EINTR {
				break
			}
		}
		return p.failure(tape.calls[out.failed-1], unix.Errno(out.errno), prog.path)
	}
	p.mark("exec")
	p.marks[len(p.marks)-1].CPU += p.cpu(int32(^pid<<3 | 2)) // the child's clock (clock_getcpuclockid(3))
	p.mu.Lock()
	p.pid = pid
	doomed := p.doomed
	p.mu.Unlock()
	if doomed { // closed, or its time passed, while it was being started
		unix.Kill(pid, unix.SIGKILL)
	}
	return nil
}

func (p *Process) mark(name string) {
	p.marks = append(p.marks, clock.Mark{Name: name, At: clock.Now(), CPU: p.cpu(unix.CLOCK_THREAD_CPUTIME_ID) - p.before})
}

// failure words the tape's failed call.
func (p *Process) failure(c call, errno unix.Errno, prog string) error {
	switch c.nr {
	case unix.SYS_EXECVE, unix.SYS_EXECVEAT, unix.SYS_FACCESSAT:
		return bench.Blamed(bench.BlameWorkload, &ExecError{Path: prog, Err: errno})
	case unix.SYS_CHDIR, unix.SYS_OPENAT2:
		return bench.Blamed(bench.BlameWorkload, fmt.Errorf("start: %s %s: %w", c.what, c.detail, errno))
	}
	if c.detail != "" {
		return fmt.Errorf("start: %s %s: %w", c.what, c.detail, errno)
	}
	return fmt.Errorf("start: %s: %w", c.what, errno)
}

// Close kills what still runs and undoes everything.
func (p *Process) Close() error {
	p.once.Do(func() {
		p.mu.Lock()
		started := p.started
		p.started = true // a later Start is refused
		p.mu.Unlock()
		var errs []error
		if started {
			p.kill()
			<-p.ended
		} else {
			close(p.ended) // for those who wait
		}
		if p.ready != nil {
			p.ready.Close()
		}
		if p.tty != nil {
			p.tty.Close()
		}
		p.judged() // while the cgroup can be asked
		if p.owned {
			errs = append(errs, p.group.Remove())
		}
		if p.plan.Cleanup != nil {
			errs = append(errs, p.plan.Cleanup())
		}
		p.closed = errors.Join(errs...)
	})
	return p.closed
}
