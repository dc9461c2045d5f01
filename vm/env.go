package vm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/digitalocean/go-libvirt"

	"lab/bench"
	"lab/bench/results"
	"lab/bench/smaps"
	"lab/bench/testbed"
	"lab/vm/accel"
	"lab/vm/asked"
	"lab/vm/client"
	"lab/vm/daemon"
	"lab/vm/foreign"
	"lab/vm/kernel"
)

// An Env is the environment vm, vm-bare or vm-distro.
type Env struct {
	name     string
	about    bench.About
	bare     bool   // without an operating system
	distro   string // with a distribution's: which, as a folder of the cache; "" is none
	engine   bool   // which is a guest for Docker's engine
	room     string // its RAM by default, where that is its own
	tb       *testbed.Testbed
	emulator string
	accel    accel.Verdict
	unfit    error // why nothing can run here
	versions map[string]string
	count    atomic.Int64 // instances so far

	libvirt host             // own or far
	own     *daemon.Host     // the lab's own libvirt, or nil
	far     *foreign.Libvirt // a foreign one, or nil

	saving sync.Mutex             // guards states; held while a guest is being saved
	states map[string]*savedState // by their domains' kind

	mu      sync.Mutex             // guards what follows
	kernels map[string]guestKernel // by the settings kernel and boot
	modules map[string][]kernel.Module
}

// A host is a libvirt, which makes domains.
type host interface {
	// Connection returns the connection to it, after connecting where that is to be
	// done: at first, and after a trial in which it was lost.
	Connection(context.Context) (*client.Conn, error)

	// Put makes a file of the lab's visible to it, and returns its path there.
	Put(ctx context.Context, file string) (string, error)

	// Close ends the connection, and removes what was put there.
	Close() error
}

// New returns the environment vm: a guest with a kernel of its own.
func New() *Env {
	a := about()
	a.Default, a.LowerBound = true, true
	a.Is, a.Needs = "a libvirt domain whose first process is the workload", "root, QEMU, libvirt's daemon, a guest kernel; KVM to be fast"
	a.Caveat = "a tuned kernel that runs the workload and next to nothing else"
	a.Rests = append(append(a.Rests, bench.RestsOn("guest kernel", "busybox", "memory", "disk")...),
		bench.Rest{Check: "veth and bridge", Variant: "net=bridge"}, bench.Rest{Check: "tap", Variant: "net=bridge"})
	return &Env{name: "vm", about: a, kernels: make(map[string]guestKernel), modules: make(map[string][]kernel.Module),
		states: make(map[string]*savedState)}
}

// about is what is to be known of every guest.
func about() bench.About {
	a := bench.About{Slow: true, Apart: true, Rests: bench.RestsOn("root", "limits", "system", "QEMU", "libvirt")}
	a.Guest, a.Kernel = true, "qemu-system-"
	return a
}

// Name is "vm", "vm-bare" or "vm-distro".
func (e *Env) Name() string { return e.name }

// About says what it is.
func (e *Env) About() bench.About { return e.about }

// Open finds QEMU, starts the private daemon, connects to it, and tries what
// accelerates guests. What is missing isn't an error here: it is Check's, so that
// other environments run.
func (e *Env) Open(ctx context.Context, tb *testbed.Testbed) error {
	e.tb = tb
	if e.unfit = e.open(ctx); ctx.Err() != nil {
		return errors.Join(ctx.Err(), e.Close())
	}
	return nil
}

func (e *Env) open(ctx context.Context) (err error) {
	if runtime.GOARCH != "amd64" {
		return bench.Unavailable("no "+runtime.GOARCH+" guest yet", "use an amd64 machine")
	}
	if os.Geteuid() != 0 {
		return bench.Unavailable("the libvirt daemon and its private mounts need root", "sudo lab …")
	}
	if e.far != nil {
		return e.openForeign(ctx)
	}
	if e.emulator, err = accel.FindEmulator(); err != nil {
		return err
	}
	if e.own, err = daemon.NewHost(e.tb, e.Name()+"-libvirt.log", e.bed(), e.emulator); err != nil {
		return err
	}
	e.libvirt = e.own
	c, err := e.own.Connection(ctx)
	if err != nil {
		return bench.Unavailable(err.Error(), daemonCure)
	}
	e.own.Hold()
	defer e.own.Release()
	if err := e.probe(ctx); err != nil {
		return bench.Unavailable("QEMU runs no guest: "+err.Error(), "make setup")
	}
	return e.warm(ctx, c)
}

// openForeign is open's part for a foreign libvirt.
func (e *Env) openForeign(ctx context.Context) error {
	e.libvirt = e.far
	if err := os.MkdirAll(e.bed(), 0o755); err != nil {
		return err
	}
	if err := e.far.Open(ctx, e.tb.ID+"-"+e.Name()); err != nil {
		return err
	}
	if err := e.probe(ctx); err != nil {
		return bench.Unavailable("the foreign libvirt runs no guest: "+err.Error(), "see what it can run: virsh -c URI capabilities")
	}
	c, err := e.far.Connection(ctx)
	if err != nil {
		return err
	}
	return e.warm(ctx, c)
}

// Connect makes the environment use a foreign libvirt in place of a daemon of
// its own. It is called before Open. name is for results, driver what the
// daemon there is asked for, dial opens a connection to it.
func (e *Env) Connect(name, driver string, dial func() (net.Conn, error)) {
	e.far = foreign.New(name, driver, dial)
}

// daemonCure is for a libvirt that doesn't do what it should.
const daemonCure = "--env host,chroot,container leaves virtual machines out; --connect qemu:///system uses the system's libvirt"

// bed is the environment's folder in the testbed's.
func (e *Env) bed() string { return filepath.Join(e.tb.Dir, e.Name()) }

// askTimeout bounds libvirt's asking QEMU what it can do.
const askTimeout = 40 * time.Second

// warm lets libvirt find out what QEMU can do, before anything is timed: 4 s
// with an empty cache, else milliseconds.
func (e *Env) warm(ctx context.Context, c *client.Conn) error {
	virt := "qemu"
	if e.accel.Use == "kvm" {
		virt = "kvm"
	}
	var lib, hv uint64
	if err := c.Call(ctx, "ask for capabilities", askTimeout, func(l *libvirt.Libvirt) (err error) {
		if _, err = l.ConnectGetDomainCapabilities(optional(e.emulator),
			libvirt.OptString{"x86_64"}, libvirt.OptString{"q35"}, libvirt.OptString{virt}, 0); err != nil {
			return err
		}
		if lib, err = l.ConnectGetLibVersion(); err != nil {
			return err
		}
		hv, err = l.ConnectGetVersion()
		return err
	}); err != nil {
		return bench.Unavailable(err.Error(), daemonCure)
	}
	e.versions = map[string]string{"libvirt": version(lib), "qemu": version(hv)}
	return nil
}

// optional is a string that may be absent.
func optional(s string) libvirt.OptString {
	if s == "" {
		return nil
	}
	return libvirt.OptString{s}
}

// version undoes libvirt's encoding: 1000000 × major + 1000 × minor + release.
func version(v uint64) string { return fmt.Sprintf("%d.%d.%d", v/1e6, v/1e3%1e3, v%1e3) }

// Versions are QEMU's and libvirt's.
func (e *Env) Versions() map[string]string { return e.versions }

// Acceleration is what Open found out.
func (e *Env) Acceleration() results.Acceleration { return e.accel.Acceleration }

// Kernel is the guest's kernel under a Spec that Check has passed; zero for
// vm-bare, which has none.
func (e *Env) Kernel(s bench.Spec) (results.Digested, error) {
	if e.bare {
		return results.Digested{}, nil
	}
	if e.distro != "" && !asked.InDomain(s) {
		return e.distroKernel(e.tb.Cache)
	}
	find := e.kernel
	if e.distro != "" {
		find = e.domainKernel
	}
	k, err := find(s)
	return results.Digested{Name: k.Version, Digest: k.Digest, Size: k.Size}, err
}

// Prepare unpacks the kernel and builds the initramfs where the cache doesn't
// have them, and writes down the domain.
func (e *Env) Prepare(ctx context.Context, s bench.Spec) (bench.Instance, error) {
	if err := e.Check(ctx, s); err != nil {
		return nil, err
	}
	i := e.newInstance(e.actual(s), e.variant(s))
	if err := i.how.prepare(ctx, i); err != nil {
		return nil, errors.Join(err, i.Close())
	}
	return i, nil
}

// actual is a Spec as it is run: a distribution's systemd is PID 1, and runs the lab's init.
func (e *Env) actual(s bench.Spec) bench.Spec {
	s = asked.Actual(s)
	s.Init = s.Init || e.distro != ""
	return s
}

// Close ends the connection and the daemon.
func (e *Env) Close() error {
	if e.libvirt == nil {
		return nil
	}
	return errors.Join(e.libvirt.Close(), os.RemoveAll(e.bed()))
}

// Meter tells what the libvirt daemon costs, which all guests of a run share;
// nothing where there is none.
func (e *Env) Meter() (c bench.Cost, err error) {
	if e.own == nil || e.own.DaemonPID() == 0 {
		return c, nil
	}
	p, err := smaps.Read(e.own.DaemonPID(), 0)
	c.Processes = []smaps.Process{p}
	return c, err
}
