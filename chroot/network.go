package chroot

import (
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/launch"
	"lab/bench/testbed"
)

// A host process with a network of its own is what a container is with all other
// ingredients left out: what it costs is the network's cost alone.

// netns is the setting; it isn't called net, as what is asked of the
// containers of a run mustn't change the process that they are compared with.
var netns = bench.Setting{Name: "netns", Values: []string{"testbed", "own"}, Default: "testbed",
	Help: "network of a plain process: the testbed's own, or a namespace with a port of the testbed's bridge"}

// A wired is a process on the bridge.
type wired struct {
	*launch.Process
	network *testbed.Network
	addr    netip.Prefix
}

// Addr is its address on the bridge.
func (w *wired) Addr() string { return w.addr.Addr().String() }

// wire gives the plan a network namespace with a port of the bridge.
func (e *Env) wire(p launch.Plan) (bench.Instance, error) {
	n, err := e.tb.Network()
	if err != nil {
		return nil, err
	}
	addr, err := n.Lease()
	if err != nil {
		return nil, err
	}
	w := &wired{network: n, addr: addr}
	p.Steps = append(p.Steps, launch.Step{Name: "network", Do: w.connect})
	p.Cleanup = func() error {
		err := n.Disconnect(addr)
		n.Release(addr)
		return err
	}
	p.Leave = leave
	w.Process = launch.New(p)
	return w, nil
}

func (w *wired) connect(*launch.Thread) error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return os.NewSyscallError("unshare", err)
	}
	if err := testbed.Loopback(); err != nil {
		return err
	}
	return w.network.Attach("eth0", w.addr)
}

// leave takes the thread back to the lab's own network, so that the process's
// own is gone when the process counts as gone. The lab's main thread never
// leaves it.
func leave() {
	fd, err := unix.Open("/proc/self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return // the thread's end has the same effect, a little later
	}
	unix.Setns(fd, unix.CLONE_NEWNET)
	unix.Close(fd)
}
