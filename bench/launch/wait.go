package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/clock"
)

func exitOf(ws unix.WaitStatus, ru unix.Rusage, at clock.Time) bench.Exit {
	e := bench.Exit{
		Code: ws.ExitStatus(),
		At:   at,
		Usage: bench.Usage{
			User:   time.Duration(ru.Utime.Nano()),
			System: time.Duration(ru.Stime.Nano()),
			MaxRSS: ru.Maxrss << 10, // getrusage(2) counts KiB
		},
	}
	if ws.Signaled() {
		e.Code, e.Signal = -1, int(ws.Signal())
	}
	return e
}

// Signal sends a signal to the program.
func (p *Process) Signal(sig os.Signal) error {
	s, ok := sig.(syscall.Signal)
	if !ok {
		return fmt.Errorf("signal %v: not a signal of this system", sig)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pid == 0 || p.reaped {
		return os.ErrProcessDone
	}
	err := unix.Kill(p.pid, s)
	if err == unix.ESRCH {
		return os.ErrProcessDone
	}
	return err
}

// Done is closed when the program has ended, or it is clear that it never will run.
func (p *Process) Done() <-chan struct{} { return p.ended }

// Wait waits for the program's end; see bench.Process.
func (p *Process) Wait(ctx context.Context) (bench.Exit, error) {
	p.mu.Lock()
	started := p.started
	p.mu.Unlock()
	if !started {
		return bench.Exit{}, errors.New("wait: not started")
	}
	select {
	case <-p.ended:
	case <-ctx.Done():
		select {
		case <-p.ended: // both: the end counts
		default:
			p.kill()
			<-p.ended
			return p.judged(), errors.Join(ctx.Err(), p.err)
		}
	}
	if p.pid == 0 {
		return p.exit, errors.New("wait: it never ran")
	}
	return p.judged(), p.err
}

// judged is the exit, with what the cgroup knows of it. The disposable thread
// can't ask: its root may be one without a /sys.
func (p *Process) judged() bench.Exit {
	p.judge.Do(func() {
		if p.group != nil && p.exit.Signal == int(unix.SIGKILL) {
			// A kill by the kernel for want of memory is a plain SIGKILL to
			// wait4; the cgroup counts who was meant.
			p.exit.OOM = p.group.OOMKilled()
		}
	})
	return p.exit
}

// kill ends the program and what it left in its cgroup.
func (p *Process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.doomed = true
	if p.pid != 0 && !p.reaped {
		unix.Kill(p.pid, unix.SIGKILL)
	}
	if p.owned {
		p.group.Kill()
	}
}
