package vm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/digitalocean/go-libvirt"
	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/results"
	"lab/bench/testbed"
	"lab/vm/accel"
	"lab/vm/client"
	"lab/vm/kernel"
)

// An Env is the environment vm, or vm-bare.
type Env struct {
	bare     bool
	tb       *testbed.Testbed
	emulator string
	accel    accel.Verdict
	unfit    error // why nothing can run here
	reaper   *reaper
	log      *os.File // the daemon's
	versions map[string]string
	count    atomic.Int64 // instances so far

	far    *foreign               // whose libvirt, or nil: a daemon of our own
	saving sync.Mutex             // guards states; held while a guest is being saved
	states map[string]*savedState // by their domains' kind

	mu      sync.Mutex // guards what follows
	daemon  *daemon
	conn    *client.Conn
	kernels map[string]guestKernel // by the settings kernel and boot
	modules map[string][]kernel.Module
	shown   []string // files of the cache's that the daemon sees
	closed  bool
}

// guestKernel is a kernel and the file in the cache that is booted.
type guestKernel struct {
	kernel.Kernel
	file string
}

// New returns the environment vm: a guest with a kernel of its own.
func New() *Env {
	return &Env{kernels: make(map[string]guestKernel), modules: make(map[string][]kernel.Module),
		states: make(map[string]*savedState)}
}

// Name is "vm" or "vm-bare".
func (e *Env) Name() string {
	if e.bare {
		return "vm-bare"
	}
	return "vm"
}

// About says what both are. The tiny guest of vm-bare has no kernel, no file and
// next to no memory.
func (e *Env) About() bench.About {
	a := bench.About{Slow: true, Apart: true, Rests: bench.RestsOn("root", "limits", "system", "QEMU", "libvirt")}
	a.Guest = true
	if e.bare {
		a.Is, a.Needs = "a libvirt domain without an operating system: the machine alone", "root, QEMU, libvirt's daemon; KVM to be fast"
		a.Caveat = "a machine without an operating system, in which a few instructions stand in for the workload"
		return a
	}
	a.Default, a.LowerBound = true, true
	a.Is, a.Needs = "a libvirt domain whose first process is the workload", "root, QEMU, libvirt's daemon, a guest kernel; KVM to be fast"
	a.Caveat = "a tuned kernel that runs the workload and next to nothing else"
	a.Rests = append(append(a.Rests, bench.RestsOn("guest kernel", "busybox", "memory", "disk")...),
		bench.Rest{Check: "veth and bridge", Variant: "net=bridge"}, bench.Rest{Check: "tap", Variant: "net=bridge"})
	return a
}

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
	if _, _, err := findDaemon(); err != nil {
		return bench.Unavailable(err.Error(), "make setup")
	}
	if !e.tb.Private {
		// Where the lab isn't PID 1, QEMU's orphans come to it by this.
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			return fmt.Errorf("become a subreaper: %w", err)
		}
	}
	e.reaper = newReaper()
	if e.log, err = e.tb.Log(e.Name() + "-libvirt.log"); err != nil {
		return err
	}
	c, err := e.connection(ctx)
	if err != nil {
		return bench.Unavailable(err.Error(), daemonCure)
	}
	if err := e.probe(ctx); err != nil {
		return bench.Unavailable("QEMU runs no guest: "+err.Error(), "make setup")
	}
	return e.warm(ctx, c)
}

// daemonCure is for a libvirt that doesn't do what it should.
const daemonCure = "--env host,chroot,container leaves virtual machines out; --connect qemu:///system uses the system's libvirt"

// bed is the environment's folder in the testbed's.
func (e *Env) bed() string { return filepath.Join(e.tb.Dir, e.Name()) }

// connection returns the connection to the daemon, after starting the daemon
// and connecting where that is to be done: at first, and after a trial in which
// one of them was lost. A daemon that left a call without an answer is replaced.
func (e *Env) connection(ctx context.Context) (*client.Conn, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, errors.New("the environment is closed")
	}
	if e.conn != nil && e.conn.Alive() {
		return e.conn, nil
	}
	if e.far != nil {
		nc, err := e.far.dial()
		if err == nil {
			e.conn, err = client.Open(ctx, nc, e.far.driver)
		}
		return e.conn, err
	}
	if e.daemon != nil && (!e.daemon.alive() || e.conn != nil && (e.conn.Silent() || e.daemon.over())) {
		e.daemon.kill()
		e.daemon = nil
	}
	e.conn = nil
	if e.daemon == nil {
		m, err := e.mounts()
		if err != nil {
			return nil, err
		}
		if e.daemon, err = startDaemon(ctx, m, e.log); err != nil {
			return nil, err
		}
	}
	c, err := e.daemon.connect(ctx)
	if err != nil {
		// Started, and doesn't answer: the next attempt starts another.
		if ctx.Err() == nil {
			e.daemon.kill()
			e.daemon = nil
		}
		return nil, err
	}
	e.conn = c
	return c, nil
}

// mounts says what the daemon shall see.
func (e *Env) mounts() (mounts, error) {
	m := mounts{bed: e.bed()}
	for _, file := range e.shown {
		m.binds = append(m.binds, e.fileBind(file))
	}
	key, err := accel.CapsKey(e.emulator)
	if err != nil {
		return m, err
	}
	m.kvm = accel.KVMOpens() == nil
	if m.kvm {
		key += "-kvm"
	}
	m.caps = filepath.Join(e.tb.Cache, "libvirt-capabilities", key)
	for _, dir := range []string{m.bed, m.caps} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return m, err
		}
	}
	e.give(filepath.Dir(m.caps), m.caps)
	return m, nil
}

// show shows the daemon a file of the cache's, and those that come after it. The
// rest of the cache isn't QEMU's business.
func (e *Env) show(file string) error {
	if e.inside(file) == file || strings.HasPrefix(file, e.bed()+"/") {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if slices.Contains(e.shown, file) {
		return nil
	}
	// Whoever's umask it was made with: QEMU is another user. On a file system
	// without modes all may read it.
	if st, err := os.Stat(file); err != nil {
		return err
	} else if st.Mode().Perm()&0o004 == 0 {
		if err := os.Chmod(file, 0o644); err != nil {
			return err
		}
	}
	b := e.fileBind(file)
	if err := b.open(); err != nil {
		return err
	}
	defer b.close()
	err := e.daemon.enter(func() error { return b.attach("") })
	if err == nil || errors.Is(err, errNoDaemon) { // its successor will see it
		e.shown = append(e.shown, file)
		return nil
	}
	return err
}

func (e *Env) fileBind(file string) *bind {
	return &bind{from: file, to: e.inside(file), attr: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOSUID}
}

// warm lets libvirt find out what QEMU can do, before anything is timed: 4 s
// with an empty cache, else milliseconds.
func (e *Env) warm(ctx context.Context, c *client.Conn) error {
	e.reaper.hold()
	defer e.reaper.release()
	virt := "qemu"
	if e.accel.Use == "kvm" {
		virt = "kvm"
	}
	var lib, hv uint64
	if err := c.Call(ctx, "ask for capabilities", 2*daemonStart, func(l *libvirt.Libvirt) (err error) {
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
	k, err := e.kernel(s)
	return results.Digested{Name: k.Version, Digest: k.Digest, Size: k.Size}, err
}

// kernel finds and unpacks the kernel that a Spec asks for, once.
func (e *Env) kernel(s bench.Spec) (guestKernel, error) {
	name, boot := kernelName(s), s.Settings["boot"]
	e.mu.Lock()
	defer e.mu.Unlock()
	if k, ok := e.kernels[boot+" "+name]; ok {
		return k, nil
	}
	var (
		k   guestKernel
		err error
	)
	switch name {
	case "":
		k.Kernel, err = kernel.Newest(e.tb.Cache)
	case fullKernel:
		k.Kernel, err = kernel.Full(e.tb.Cache)
	default:
		k.Kernel, err = kernel.Named(name)
	}
	if err != nil {
		return k, err
	}
	if boot == "bzimage" {
		k.file, err = k.Packed(e.tb.Cache)
	} else {
		k.file, err = k.ELF(e.tb.Cache)
	}
	if err != nil {
		return k, err
	}
	e.give(kernel.Folder(e.tb.Cache), k.file)
	e.kernels[boot+" "+name] = k
	return k, nil
}

// give gives files in the cache to the user whose cache it is.
func (e *Env) give(paths ...string) {
	for _, p := range paths {
		os.Lchown(p, e.tb.UID, e.tb.GID) // to be able to delete them is a comfort, no need
	}
}

// giveFile gives a file and the folder that it lies in.
func (e *Env) giveFile(path string) { e.give(filepath.Dir(path), path) }

// Close ends the connection and the daemon.
func (e *Env) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil
	}
	e.closed = true
	var errs []error
	if e.conn != nil {
		if e.far != nil && e.conn.Alive() {
			errs = append(errs, e.far.remove(context.Background(), e.conn))
		}
		errs = append(errs, e.conn.Close(context.Background()))
	}
	if e.daemon != nil {
		errs = append(errs, e.daemon.stop())
	}
	if e.reaper != nil {
		e.reaper.reap()
		e.reaper.close()
	}
	if e.log != nil {
		errs = append(errs, e.log.Close())
	}
	if e.tb != nil {
		errs = append(errs, os.RemoveAll(e.bed()))
	}
	return errors.Join(errs...)
}
