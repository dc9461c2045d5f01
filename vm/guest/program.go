package guest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/clock"
	"lab/bench/launch"
	"lab/bench/probe/guestinit/wire"
)

// A Program is one that the guest's init runs: the workload, or a further
// command in the same guest.
type Program struct {
	s      *Session
	cmd    bench.Command
	limits bench.Limits
	id     uint32
	io     *stdio

	Unplug func() // ends the guest; nil where it isn't the program's alone

	answer chan wire.Frame // Started or Failed
	credit chan struct{}   // one for each frame of input that may be sent
	ended  chan struct{}   // closed when exit is valid
	exit   bench.Exit
	state  state // the session's reader's alone

	mu      sync.Mutex // guards started, running
	started bool
	running bool
	once    sync.Once
}

// A state is how far a program is, as the guest's frames have it.
type state int

const (
	asked state = iota // Run was sent
	begun              // Started came
	over               // Failed or Exited did
)

// NewProgram is a command that a guest's init is to run under limits, which Start
// has it do.
func NewProgram(s *Session, c bench.Command, l bench.Limits) *Program {
	p := &Program{s: s, cmd: c, limits: l,
		answer: make(chan wire.Frame, 1), credit: make(chan struct{}, wire.Window), ended: make(chan struct{})}
	for range wire.Window {
		p.credit <- struct{}{}
	}
	return p
}

// Start executes the program in the guest.
func (p *Program) Start(ctx context.Context) (err error) {
	p.mu.Lock()
	again := p.started
	p.started = true
	p.mu.Unlock()
	if again {
		return errors.New("start: started before")
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(p.cmd.Argv) == 0 || p.cmd.Argv[0] == "" {
		return launch.ErrNoCommand
	}
	if p.io == nil {
		if p.io, err = newStdio(p.cmd); err != nil {
			return err
		}
	}
	if err := p.s.add(p); err != nil {
		return err
	}
	body := wire.RunBody{
		Paths: bytesOf(launch.PathInside(p.cmd)), Argv: bytesOf(p.cmd.Argv), Env: bytesOf(p.cmd.Env),
		Dir: []byte(p.cmd.Dir), UID: p.cmd.User.UID, GID: p.cmd.User.GID, Groups: p.cmd.User.Groups,
		Input: p.io.in != nil, Terminal: p.io.size(),
		Memory: p.limits.Memory, Pids: p.limits.Pids, CPU: p.limits.CPU,
	}
	if err := p.s.send(wire.Run, p.id, body); err != nil {
		return err
	}
	select {
	case f := <-p.answer:
		if f.Kind == wire.Failed {
			p.s.remove(p)
			return failure(f)
		}
	case <-p.s.gone:
		return p.s.why()
	case <-ctx.Done():
		return ctx.Err()
	}
	p.mu.Lock()
	p.running = true
	p.mu.Unlock()
	p.io.pumps.Go(func() { p.io.pump(p) })
	return nil
}

// lastSignal is the highest that Linux has.
const lastSignal = 64

// failure words what kept a program from being executed.
func failure(f wire.Frame) error {
	var b wire.FailedBody
	if err := f.Body(&b); err != nil {
		return err
	}
	errno := unix.Errno(b.Errno)
	switch b.What {
	case "execute":
		return bench.Blamed(bench.BlameWorkload, &launch.ExecError{Path: string(b.Path), Err: errno})
	case "change folder":
		return bench.Blamed(bench.BlameWorkload, fmt.Errorf("change folder to %s: %w", b.Path, errno))
	}
	return fmt.Errorf("in the guest: %s %s: %w", b.What, b.Path, errno)
}

// handle takes a frame of the guest's. It is called in the frames' order, so
// that all output is written when the program's end is known. Who is root in the
// guest can send what it likes: a frame out of turn is an error, which ends the
// session, and none blocks its reader.
func (p *Program) handle(f wire.Frame) error {
	switch {
	case p.state == asked && (f.Kind == wire.Started || f.Kind == wire.Failed):
		if p.state = begun; f.Kind == wire.Failed {
			p.state = over
		}
		p.answer <- f // the only one there is room for, and the only one that comes
	case p.state != begun:
		return fmt.Errorf("%w that may come now: kind %d", wire.ErrFrame, f.Kind)
	case f.Kind == wire.Output || f.Kind == wire.Errors:
		to := p.io.out
		if f.Kind == wire.Errors {
			to = p.io.err
		}
		if p.io.write(to, f.Payload) {
			// Not on this goroutine, which takes the guest's frames.
			go p.s.send(wire.Signal, p.id, wire.SignalBody{Signal: int(unix.SIGPIPE)})
		}
	case f.Kind == wire.Credit:
		select {
		case p.credit <- struct{}{}:
		default: // more than it was given
		}
	case f.Kind == wire.Exited:
		at := clock.Now()
		var b wire.ExitedBody
		if err := f.Body(&b); err != nil {
			return err
		}
		if b.Code < -1 || b.Code > 255 || b.Signal < 0 || b.Signal > lastSignal {
			return fmt.Errorf("%w: exit status %d, signal %d", wire.ErrFrame, b.Code, b.Signal)
		}
		if b.User < 0 || b.System < 0 || b.MaxRSS < 0 || b.User > math.MaxInt64-b.System {
			return fmt.Errorf("%w: %d and %d ns of CPU time, %d bytes", wire.ErrFrame, b.User, b.System, b.MaxRSS)
		}
		p.state = over
		p.exit = bench.Exit{Code: b.Code, Signal: b.Signal, OOM: b.OOM, At: at,
			Usage: bench.Usage{User: time.Duration(b.User), System: time.Duration(b.System), MaxRSS: b.MaxRSS}}
		p.s.remove(p)
		p.io.finish()
		close(p.ended)
	default:
		return fmt.Errorf("%w: kind %d", wire.ErrFrame, f.Kind)
	}
	return nil
}

// Signal sends a signal to the program.
func (p *Program) Signal(sig os.Signal) error {
	n, ok := sig.(syscall.Signal)
	if !ok {
		return fmt.Errorf("signal %v: not a signal of this system", sig)
	}
	if !p.Alive() {
		return os.ErrProcessDone
	}
	if n == unix.SIGWINCH && p.cmd.TTY {
		// A terminal's new size says more; the guest's kernel sends the signal.
		return p.s.send(wire.WindowSize, p.id, p.io.size())
	}
	return p.s.send(wire.Signal, p.id, wire.SignalBody{Signal: int(n)})
}

// Alive says whether the program was started and hasn't ended.
func (p *Program) Alive() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.running {
		return false
	}
	select {
	case <-p.ended:
		return false
	case <-p.s.gone:
		return false
	default:
		return true
	}
}

// killGrace is how long a program that was killed may take to be reported.
const killGrace = 3 * time.Second

// Wait waits for the program's end; see bench.Process.
func (p *Program) Wait(ctx context.Context) (bench.Exit, error) {
	p.mu.Lock()
	ran := p.running
	p.mu.Unlock()
	if !ran {
		return bench.Exit{}, errors.New("wait: it never ran")
	}
	select {
	case <-p.ended:
		return p.exit, p.lost()
	default:
	}
	select {
	case <-p.ended:
		return p.exit, p.lost()
	case <-p.s.gone:
		return bench.Exit{Code: -1, Signal: int(unix.SIGKILL), At: clock.Now()}, p.s.why()
	case <-ctx.Done():
		p.Signal(unix.SIGKILL)
		select {
		case <-p.ended:
			return p.exit, ctx.Err()
		case <-p.s.gone:
		case <-time.After(killGrace):
		}
		return bench.Exit{Code: -1, Signal: int(unix.SIGKILL), At: clock.Now()}, ctx.Err()
	}
}

// ErrLost is wrapped by errors of a program whose output couldn't be written.
var ErrLost = errors.New("output was lost")

// lost is the error of a program that has ended and whose output nobody took.
// One whose reader went away was ended by SIGPIPE, as elsewhere.
func (p *Program) lost() error {
	if p.io.lost == nil || errors.Is(p.io.lost, unix.EPIPE) && p.exit.Signal == int(unix.SIGPIPE) {
		return nil
	}
	return fmt.Errorf("%w: %s: %w", ErrLost, p.cmd.Argv[0], p.io.lost)
}

// Close kills the program if it still runs.
func (p *Program) Close() error {
	p.once.Do(func() {
		p.mu.Lock()
		p.started = true // a later Start is refused
		p.mu.Unlock()
		if p.Alive() {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			p.Wait(ctx)
		}
		if p.io != nil {
			p.io.close()
		}
	})
	return nil
}

// Ready is the lab's end of the pipe that its output goes to, or nil.
func (p *Program) Ready() *os.File {
	if p.io == nil {
		return nil
	}
	return p.io.ready
}

// Terminal is the master end of the program's new terminal, or nil.
func (p *Program) Terminal() *os.File {
	if p.io == nil {
		return nil
	}
	return p.io.master
}

func bytesOf(ss []string) [][]byte {
	out := make([][]byte, 0, len(ss))
	for _, s := range ss {
		out = append(out, []byte(s))
	}
	return out
}
