package vm

import (
	"context"
	"errors"
	"fmt"

	"lab/vm/client"

	"github.com/digitalocean/go-libvirt"
)

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
		i.kill()
	}
}

// pauses are the reasons that nobody asked for.
var pauses = map[libvirt.DomainPausedReason]string{
	libvirt.DomainPausedUnknown:  "an internal error of KVM's or QEMU's",
	libvirt.DomainPausedIoerror:  "an error of a disk's, as a full file system",
	libvirt.DomainPausedWatchdog: "a watchdog of the guest's",
	libvirt.DomainPausedCrashed:  "its kernel crashed",
}
