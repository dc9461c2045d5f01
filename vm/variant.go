package vm

import (
	"context"
	"net"

	"lab/bench"
	"lab/vm/asked"
	"lab/vm/guest"
)

// A variant is one way for a guest to come to life and to end: [coldGuest],
// [restoredGuest], [distroGuest], [domainGuest],
// [foreignGuest] or [bareGuest]. What they have in common is [instance]'s; what differs
// between them is here, and nowhere else.
type variant interface {
	// refuses says what a guest of this kind can't be asked for.
	refuses(bench.Spec) error

	// describe turns what a cold guest's Prepare and Start do into what this one's
	// do.
	describe(prepare, start []string) ([]string, []string)

	// define says in the nth domain's definition where its console is, and whose
	// it is.
	define(i *instance, n int64)

	// prepare does what later starts share, and completes the definition.
	prepare(context.Context, *instance) error

	// start makes the domain and sets its CPU running, marking the clock. It returns
	// the channel of the guest's init, nil where there is none.
	start(context.Context, *instance) (net.Conn, error)

	// hello is how the init answers on that channel, and what is done by then.
	hello() (mark string, greet func(context.Context, net.Conn) (*guest.Session, error))

	// last names what a start ends with, after its last mark.
	last(*instance) string

	// status completes how a guest ended by itself.
	status(*instance, bench.Exit) (bench.Exit, error)

	// kill ends the guest.
	kill(*instance) error

	// close removes what start made, of a guest that has ended.
	close(*instance) error
}

// variant is the one that a Spec asks for.
func (e *Env) variant(s bench.Spec) variant {
	v := e.plain()
	switch {
	case e.bare:
		return bareGuest{v}
	case asked.InDomain(s):
		return domainGuest{}
	case e.distro != "":
		return distroGuest{}
	case e.far == nil && asked.Restored(s):
		return restoredGuest{}
	}
	return v
}

// plain is a guest that boots, in whichever libvirt.
func (e *Env) plain() variant {
	if e.far != nil {
		return foreignGuest{}
	}
	return coldGuest{}
}
