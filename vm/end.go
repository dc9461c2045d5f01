package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/digitalocean/go-libvirt"

	"lab/bench"
	"lab/bench/clock"
	"lab/vm/client"
	"lab/vm/daemon"
	"lab/vm/guest"
)

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
	switch {
	case !i.alive(): // explain says how
	case daemon.ProcessState(i.pid) == 'T':
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
	t := time.NewTimer(time.Second)
	defer t.Stop()
	select {
	case <-i.ended:
	case <-t.C:
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
	_, err = io.Copy(dst, io.LimitReader(src, maxLog))
	return err
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

// pauses are the reasons that nobody asked for.
var pauses = map[libvirt.DomainPausedReason]string{
	libvirt.DomainPausedUnknown:  "an internal error of KVM's or QEMU's",
	libvirt.DomainPausedIoerror:  "an error of a disk's, as a full file system",
	libvirt.DomainPausedWatchdog: "a watchdog of the guest's",
	libvirt.DomainPausedCrashed:  "its kernel crashed",
}
