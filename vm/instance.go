package vm

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"sync"
	"syscall"

	"lab/bench"
	"lab/bench/clock"
	"lab/bench/testbed"
	"lab/vm/client"
	"lab/vm/domain"
	"lab/vm/guest"
)

// An instance is one domain, and the workload in it.
type instance struct {
	env  *Env
	spec bench.Spec
	how  variant
	cfg  domain.Config
	err  error // why Start will fail

	began clock.Time
	marks []clock.Mark

	loads   []string // files of the cache's that its machine starts with
	console *guest.Console
	network *testbed.Network // the testbed's; nil without a bridge
	addr    netip.Prefix     // on it, or on a network of a foreign libvirt's
	session *guest.Session   // with the guest's init, where there is one
	main    *guest.Program   // the workload, where that init runs it
	idle    bool             // that init is to wait for work, and gets none

	own               // where the lab's own libvirt made it
	saved *savedState // what it is restored from, or nil
	far   *far        // in a foreign libvirt, or nil

	conn    *client.Conn
	created bool
	events  <-chan client.Event
	stopped chan struct{} // closed when libvirt has noticed its end
	ended   chan struct{} // closed when QEMU is gone, and exit is valid
	exit    bench.Exit
	exitErr error

	mu      sync.Mutex // guards what follows
	started bool
	ran     bool // Start succeeded
	cancel  context.CancelFunc
	tried   chan struct{}  // closed when Start returned
	killed  syscall.Signal // what the caller ended the guest with
	stuck   string         // why the guest was ended that could have gone on no more
	death   string         // how QEMU ended, where that is known

	once   sync.Once
	closed error
}

// newInstance is an instance as far as all are alike.
func (e *Env) newInstance(s bench.Spec, how variant) *instance {
	i := &instance{env: e, spec: s, how: how, cfg: e.config(s), own: own{pidfd: -1},
		ended: make(chan struct{}), stopped: make(chan struct{}), tried: make(chan struct{})}
	n := e.count.Add(1)
	i.cfg.Name = fmt.Sprintf("lab-%s-%s-%d", e.tb.ID, e.Name(), n)
	how.define(i, n)
	return i
}

// put makes a file of the lab's visible to libvirt, and returns its path there.
func (i *instance) put(ctx context.Context, file string) (string, error) {
	i.loads = append(i.loads, file)
	return i.env.libvirt.Put(ctx, file)
}

// Loads is what put was given: kernel, initramfs, the image's disk.
func (i *instance) Loads() []string { return i.loads }

// file is the path of a file of the instance, outside the daemon's namespace.
func (i *instance) file(suffix string) string {
	return filepath.Join(i.env.bed(), i.cfg.Name+suffix)
}
