package vm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"lab/bench"
	"lab/bench/clock"
	"lab/vm/guest"
)

// Ready is the lab's end of the console; where the guest has an init, of the
// pipe that the workload's output goes to.
func (i *instance) Ready() *os.File {
	switch {
	case i.main != nil:
		return i.main.Ready()
	case i.console == nil || i.spec.Init || i.spec.Command.Stdout != nil:
		return nil
	}
	return i.console.File()
}

// Terminal is the master end of the workload's new terminal, or nil.
func (i *instance) Terminal() *os.File {
	if i.main == nil {
		return nil
	}
	return i.main.Terminal()
}

// Started is when Start was called.
func (i *instance) Started() clock.Time { return i.began }

// Marks are the ends of the parts of a start.
func (i *instance) Marks() []clock.Mark { return i.marks }

// LastPhase is what follows the last mark.
func (i *instance) LastPhase() string { return i.how.last(i) }

// Inspect names the domain and, in the lab's own libvirt, QEMU's process and its
// port on the bridge.
func (i *instance) Inspect() (map[string]string, error) {
	if !i.alive() {
		return nil, os.ErrProcessDone
	}
	out := map[string]string{"domain": i.cfg.Name}
	if i.pid != 0 {
		out["pid"] = strconv.Itoa(i.pid)
	}
	if i.cfg.Card != nil && i.cfg.Card.Tap != "" {
		out["tap"] = i.cfg.Card.Tap
	}
	if i.saved != nil && i.session != nil {
		out["clock set forward by"] = i.session.Jump.String()
	}
	return out, nil
}

// Exec prepares a further command in the guest.
func (i *instance) Exec(_ context.Context, c bench.Command) (bench.Process, error) {
	if i.session == nil {
		return nil, bench.NotApplicable("the workload is the guest's PID 1, and nothing is there that could execute a command", "run it under the guest's init (Spec.Init)")
	}
	return guest.NewProgram(i.session, c, bench.Limits{}), nil
}

// alive says whether QEMU is there.
func (i *instance) alive() bool {
	if !i.created {
		return false
	}
	select {
	case <-i.ended:
		return false
	default:
		return true
	}
}

// Signal sends a signal to the workload. Where it is the guest's PID 1, SIGKILL
// ends the guest, as if its plug were pulled, and nothing can take others.
func (i *instance) Signal(sig os.Signal) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.ran || !i.alive() {
		return os.ErrProcessDone
	}
	if i.main != nil {
		return i.main.Signal(sig)
	}
	if sig != syscall.SIGKILL {
		return bench.NotApplicable(fmt.Sprintf("a guest's PID 1 can't be sent %v from the host", sig), "run it under the guest's init (Spec.Init)")
	}
	i.killed = syscall.SIGKILL
	return i.how.kill(i)
}

// wasKilled says whether the guest was ended from here.
func (i *instance) wasKilled() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.killed != 0
}

// unplug kills QEMU and waits for its end.
func (i *instance) unplug() {
	i.mu.Lock()
	if i.alive() {
		i.killed = syscall.SIGKILL
		i.how.kill(i)
	}
	i.mu.Unlock()
	<-i.ended
}

// Wait waits for the workload's end; see bench.Process.
func (i *instance) Wait(ctx context.Context) (bench.Exit, error) {
	i.mu.Lock()
	started := i.started && i.cancel != nil
	i.mu.Unlock()
	if !started {
		return bench.Exit{}, errors.New("wait: it never ran")
	}
	<-i.tried
	i.mu.Lock()
	ran := i.ran
	i.mu.Unlock()
	switch {
	case !ran:
		return bench.Exit{}, errors.New("wait: it never ran")
	case i.main != nil:
		exit, err := i.main.Wait(ctx)
		if err != nil && i.wasKilled() {
			return exit, ctx.Err() // by us: it has the status of that
		}
		if errors.Is(err, guest.ErrLost) {
			return exit, err // the guest did nothing wrong
		}
		if err == nil || ctx.Err() == nil {
			return exit, i.Explain(err)
		}
		// Whether or not the guest said so: it is dead after this.
		if i.main.Alive() {
			i.unplug()
		}
		return exit, err
	}
	select {
	case <-i.ended:
		return i.exit, i.exitErr
	case <-ctx.Done():
		i.unplug()
		return i.exit, ctx.Err()
	}
}

// Close ends the guest and removes what it was made of.
func (i *instance) Close() error {
	i.once.Do(func() {
		i.mu.Lock()
		cancel := i.cancel
		i.started = true // a later Start is refused
		i.mu.Unlock()
		defer i.release()
		if cancel == nil {
			return
		}
		cancel()
		<-i.tried
		i.closed = i.close()
	})
	return i.closed
}

func (i *instance) close() error {
	if i.conn == nil {
		return nil // nothing was made
	}
	if i.created {
		i.unplug()
	}
	errs := []error{i.how.close(i)}
	i.conn.Unwatch(i.cfg.Name)
	if i.session != nil {
		i.session.Close()
	}
	if i.main != nil {
		i.main.Close()
	}
	if i.console != nil {
		errs = append(errs, i.console.Close())
	}
	return errors.Join(append(errs, i.keepLogs())...)
}
