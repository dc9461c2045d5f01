package bench

import (
	"context"
	"net"
	"os"

	"lab/bench/clock"
	"lab/bench/results"
)

// What only some environments or instances can do is an optional interface of a
// few methods. Whoever wants it asks for it by one of these names, and reports
// "not applicable" where it is missing. All there are, with the packages that
// have it (bench/launch for every plain process, and what is made of one) and
// those that ask (bench/benchtest is the conformance suite); a test keeps the
// page true:
//
//	instances    who has it                            who asks
//	Tracer       bench/launch, vm                      bench/benchtest, scenarios
//	Accountant   bench/launch                          scenarios
//	Terminaler   bench/launch, vm, vm/guest            cmd/cli
//	Explainer    bench/foreign, vm                     bench, scenarios
//	Execer       bench/foreign, container, vm          bench/benchtest, scenarios
//	Addresser    bench/foreign, chroot, container, vm  bench/engines/docker, scenarios
//	Placer       bench/foreign, chroot, container, vm  bench, bench/benchtest
//	Loader       chroot, vm                            bench, bench/benchtest
//	Cooler       vm                                    scenarios
//	Meter        bench/foreign, bench/launch, vm       bench/benchtest, bench/engines/docker, scenarios
//	Inspector    bench/foreign, bench/launch, container, vm bench, bench/benchtest
//	Leader       bench/launch                          cmd/cli
//	Restarter    bench/engines/docker                  scenarios
//
//	environments who has it                            who asks
//	Grouper      bench/foreign, chroot, container      bench/benchtest, cmd/cli, cmd/lab
//	Outsider     vm                                    bench
//	Keeper       chroot                                bench/engine
//	Describer    bench/foreign, chroot, container, vm  bench/benchtest, bench/engine
//	Resolver     vm                                    bench/engine, cmd/lab
//	Connecter    vm                                    bench/runs, cmd/cli
//	Virtualizer  vm                                    bench/runs, scenarios
//	Versioner    bench/foreign, vm                     bench/engine, bench/runs
//
// A further one is package machine's, Checker: checks of an environment's own,
// for doctor.
type (
	// A Tracer marks the clock while it starts: on the host, in order, the
	// last one at or before the workload's first instruction. The marks are
	// complete once Start has returned and the ready token was seen.
	Tracer interface {
		// Started is the reading at the very beginning of Start.
		Started() clock.Time
		Marks() []clock.Mark

		// LastPhase names what a start ends with, after the last mark and until
		// the workload's first byte, where that isn't the workload alone; else "".
		LastPhase() string
	}

	// An Accountant can have its marks say how much processor time its start has
	// had, so that the rest of each phase is known to be waiting. Before Start.
	Accountant interface {
		Account()
	}

	// A Terminaler has the master end of the new pseudo-terminal that its
	// program runs on (Command.TTY without Stdin): what is written there is
	// typed, what is read was printed. Valid after Start; the Process closes
	// it.
	Terminaler interface {
		Terminal() *os.File
	}

	// A Grouper says how many cgroups its instance of a Spec that Check has passed
	// takes: a testbed with one, or without any, is made faster.
	Grouper interface {
		Groups(Spec) int
	}

	// An Explainer adds to the error of a wait that was in vain what became
	// of the instance: ended, stopped, or running on, and what it said last.
	Explainer interface {
		Explain(error) error
	}

	// An Execer runs a further command inside a running instance.
	Execer interface {
		Exec(context.Context, Command) (Process, error)
	}

	// An Addresser has an address of its own, valid from Prepare on.
	Addresser interface {
		Addr() string // IPv4, without prefix length
	}

	// A Placer knows the folder, as the program inside sees it, in which what
	// it writes lies in the testbed's work folder. It needs Spec.Work.
	Placer interface {
		Place() string
	}

	// An Outsider knows the address by which a program inside reaches those
	// that listen on the testbed's loopback device, where that isn't
	// 127.0.0.1; "" is none. It is an Environment.
	Outsider interface {
		HostAddr(Spec) string
	}

	// A Keeper is an environment that puts something into the testbed's work
	// folder which stays there until the run's end: how many bytes, at most.
	Keeper interface {
		Keeps(Spec) int64
	}

	// A Loader names the files and folders of the lab's own that its start
	// reads, where those aren't its image's: see Chill. Valid before Start.
	Loader interface {
		Loads() []string
	}

	// A Cooler keeps what its program wrote in a page cache of the host's
	// below the program's own, and can drive it out of there: that instance's,
	// and nothing else.
	Cooler interface {
		Cool() error
	}

	// A Meter tells what memory it costs the host now. An Instance's is its
	// own; an Environment that is one tells of the daemons that its instances
	// share.
	Meter interface {
		Meter() (Cost, error)
	}

	// An Inspector names the kernel objects that an instance is made of.
	Inspector interface {
		// Inspect returns for instance {"pid": "4711", "mnt": "mnt:[402653]"}.
		Inspect() (map[string]string, error)
	}

	// A Leader is an instance whose program leads a session of this machine's:
	// what is left of the session can be ended by its PID.
	Leader interface {
		// Announce has the program's process write its PID to some memory, in
		// decimal, before it does anything else. To be called before Start.
		Announce(to []byte)
	}

	// A Restarter's engine keeps what its program has ended in, until Close: Restart
	// starts the same command there once more, waits for its end, and returns what it
	// wrote to its output, 64 KiB at the most.
	Restarter interface {
		Restart(ctx context.Context) (output []byte, err error)
	}

	// A Describer says in words what its Prepare and Start do, for the method
	// section of a report: one short phrase a step.
	Describer interface {
		Describe(Spec) (prepare, start []string)
	}

	// A Resolver says what settings such as accel=auto came to. Valid for a
	// Spec that Check has passed.
	Resolver interface {
		Resolved(Spec) map[string]string
	}

	// A Connecter can have its instances made by a foreign libvirt, of which it
	// is told a name without host and user, and the driver's URI; dial opens
	// connections to it. Before Open.
	Connecter interface {
		Connect(name, driver string, dial func() (net.Conn, error))
	}

	// A Virtualizer is an environment whose instances are guests.
	Virtualizer interface {
		// Acceleration says what runs their instructions. Valid after Open; zero
		// where there is nothing to choose.
		Acceleration() results.Acceleration

		// Kernel is the guests', for a Spec that Check has passed; zero where
		// they have none.
		Kernel(Spec) (results.Digested, error)
	}

	// A Versioner says which foreign programs it rests on ("qemu": "7.2.22").
	// Valid after Open.
	Versioner interface {
		Versions() map[string]string
	}
)
