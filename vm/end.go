package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/digitalocean/go-libvirt"

	"lab/bench"
	"lab/bench/clean"
	"lab/bench/clock"
	"lab/bench/proc"
	"lab/vm/client"
	"lab/vm/daemon"
	"lab/vm/guest"
)

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
		done := make(chan struct{})
		defer close(done)
		go i.watchHalt(done)
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

// status says how the guest ended.
func (i *instance) status(at clock.Time) (bench.Exit, error) {
	e := bench.Exit{Code: -1, At: at}
	i.mu.Lock()
	killed, stuck := i.killed, i.stuck
	i.mu.Unlock()
	switch {
	case killed != 0:
		e.Signal = int(killed)
		return e, nil
	case stuck != "":
		return e, i.explain(bench.Blamed(bench.BlameMachine, errStuck))
	}
	return i.how.status(i, e)
}

// Explain adds to an error what became of the guest: whether QEMU ended, was
// stopped, or runs on, and what it and the guest said last. It serves those who
// wait for something of the guest that doesn't come.
func (i *instance) Explain(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, clock.ErrClosed) || errors.Is(err, guest.ErrGone) {
		i.awaitEnd()
	}
	switch s, _ := proc.Read(i.pid); {
	case !i.alive(): // explain says how
	case s.State == 'T':
		err = fmt.Errorf("%w; QEMU was stopped by a signal", err)
	default:
		err = fmt.Errorf("%w; the guest runs on", err)
	}
	return i.explain(err)
}

// awaitEnd waits for an end that has begun: QEMU closes the console and the init's
// channel on its way out, a little before its end is seen.
func (i *instance) awaitEnd() {
	if !i.alive() {
		return
	}
	select {
	case <-i.ended:
	case <-time.After(time.Second):
	}
}

// explain adds how QEMU ended, if it has, and what it and the guest said last.
func (i *instance) explain(err error) error {
	err = i.cause(err)
	if text := guest.LastWords(daemon.Tail(i.file(".console"), 64<<10)); len(text) > 0 {
		err = fmt.Errorf("%w; the console's last lines: %q", err, text)
	}
	return err
}

// cause is explain without the guest's words.
func (i *instance) cause(err error) error {
	i.mu.Lock()
	stuck, death := i.stuck, i.death
	i.mu.Unlock()
	switch {
	case stuck != "":
		err = fmt.Errorf("%w; %s", err, stuck)
	case death != "":
		err = fmt.Errorf("%w; QEMU %s", err, death)
	case i.created && !i.alive():
		err = fmt.Errorf("%w; QEMU has ended", err)
	}
	if said := daemon.QEMUSaid(daemon.Tail(i.qemuLog(), 4<<10)); said != "" {
		err = fmt.Errorf("%w; QEMU said: %s", err, said)
	}
	return err
}

// qemuLog is where libvirt keeps what it did and what QEMU said.
func (i *instance) qemuLog() string {
	return i.env.bed() + "/log/qemu/" + i.cfg.Name + ".log"
}

// keepLogs copies console and QEMU's log to the results, and removes them.
func (i *instance) keepLogs() error {
	var errs []error
	for _, l := range []struct{ from, to string }{
		{i.file(".console"), i.cfg.Name + ".console"},
		{i.qemuLog(), i.cfg.Name + ".qemu.log"},
	} {
		err := i.keep(l.from, l.to)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
		os.Remove(l.from)
	}
	return errors.Join(errs...)
}

// maxLog bounds a log that is kept: a guest may flood its console.
const maxLog = 1 << 20

func (i *instance) keep(from, to string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := i.env.tb.Log(to)
	if err != nil {
		return err
	}
	defer dst.Close()
	// A log is read on a terminal, and what is in it is a guest's.
	w := &clean.Writer{To: dst}
	_, err = io.Copy(w, io.LimitReader(src, maxLog))
	return errors.Join(err, w.Close())
}

// errStuck is of a guest that stood still for good.
var errStuck = errors.New("the guest stood still, and was ended")

// follow watches what becomes of a domain, until libvirt says that it has ended.
func (i *instance) follow() {
	defer close(i.stopped)
	for {
		select {
		case e := <-i.events:
			switch {
			case e.Kind == libvirt.DomainEventStopped:
				return
			case e.Kind == libvirt.DomainEventSuspended && !i.idle: // which is paused to be saved
				i.paused()
			}
		case <-i.conn.Gone:
			return // autodestroy: the daemon ends what was this connection's
		}
	}
}

// paused ends a guest whose CPU was stopped by QEMU or KVM: nobody will set it
// running again, its console says nothing, and whoever waits for it would wait
// until a deadline. One that somebody paused goes on when that somebody likes.
func (i *instance) paused() {
	var state, reason int32
	if err := i.conn.Call(context.Background(), "ask for the domain's state", client.CallTimeout, func(l *libvirt.Libvirt) error {
		d, err := l.DomainLookupByName(i.cfg.Name)
		if err == nil {
			state, reason, err = l.DomainGetState(d, 0)
		}
		return err
	}); err != nil || libvirt.DomainState(state) != libvirt.DomainPaused {
		return // it ended, or runs again
	}
	why := pauses[libvirt.DomainPausedReason(reason)]
	if why == "" {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.stuck = fmt.Sprintf("its CPU was stopped: %s (libvirt: paused, reason %d)", why, reason)
	if i.alive() {
		i.how.kill(i)
	}
}

// watchHalt ends a guest whose kernel has stopped for good without QEMU's knowing it:
// what is cut out of it, ACPI, is what would tell. It looks every other second, until
// done is closed, at what the kernel said last. The guest has an init: else what the
// workload says would be on the console, too.
func (i *instance) watchHalt(done <-chan struct{}) {
	for t := time.NewTicker(2 * time.Second); ; {
		select {
		case <-done:
			t.Stop()
			return
		case <-t.C:
		}
		how := guest.Halted(daemon.Tail(i.file(".console"), 256))
		if how == "" {
			continue
		}
		i.mu.Lock()
		i.stuck = "its kernel said: " + how
		if i.alive() {
			i.how.kill(i)
		}
		i.mu.Unlock()
	}
}

// pauses are the reasons that nobody asked for.
var pauses = map[libvirt.DomainPausedReason]string{
	libvirt.DomainPausedUnknown:  "an internal error of KVM's or QEMU's",
	libvirt.DomainPausedIoerror:  "an error of a disk's, as a full file system",
	libvirt.DomainPausedWatchdog: "a watchdog of the guest's",
	libvirt.DomainPausedCrashed:  "its kernel crashed",
}
