package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/launch"
	"lab/bench/testbed"
	"lab/bench/usercache"
	"lab/vm/accel"
	"lab/vm/client"
)

// A Host is the lab's own libvirt: the daemon and the connection to it, both
// replaced after a trial in which one was lost.
type Host struct {
	*reaper

	tb       *testbed.Testbed
	bed      string // the environment's folder in the testbed's
	emulator string
	log      *os.File

	mu     sync.Mutex // guards what follows
	daemon *Daemon
	conn   *client.Conn
	Shown  []string // files of the cache's that the daemon sees
	closed bool
}

// NewHost prepares a daemon that Connection starts. name is that of its log, bed
// the folder for sockets and logs.
func NewHost(tb *testbed.Testbed, name, bed, emulator string) (*Host, error) {
	if _, _, err := Find(); err != nil {
		return nil, bench.Unavailable(err.Error(), usercache.SetUp(usercache.GuestPackages))
	}
	if !tb.Private {
		// Where the lab isn't PID 1, QEMU's orphans come to it by this.
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			return nil, fmt.Errorf("become a subreaper: %w", err)
		}
	}
	log, err := tb.Log(name)
	if err != nil {
		return nil, err
	}
	return &Host{reaper: newReaper(), tb: tb, bed: bed, emulator: emulator, log: log}, nil
}

// Connection returns the connection to the daemon, after starting the daemon and
// connecting where that is to be done. A daemon that left a call without an answer
// is replaced.
func (h *Host) Connection(ctx context.Context) (*client.Conn, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, errors.New("the environment is closed")
	}
	if h.conn != nil && h.conn.Alive() {
		return h.conn, nil
	}
	if h.daemon != nil && (!h.daemon.alive() || h.conn != nil && (h.conn.Silent() || h.daemon.over(sawEnd))) {
		h.daemon.kill()
		h.daemon = nil
	}
	h.conn = nil
	if h.daemon == nil {
		m, err := h.Mounts()
		if err != nil {
			return nil, err
		}
		if h.daemon, err = Start(ctx, m, h.log); err != nil {
			return nil, err
		}
	}
	c, err := h.daemon.Connect(ctx)
	if err != nil {
		// Started, and doesn't answer: the next attempt starts another.
		if ctx.Err() == nil {
			h.daemon.kill()
			h.daemon = nil
		}
		return nil, err
	}
	h.conn = c
	return c, nil
}

// Mounts says what the daemon shall see.
func (h *Host) Mounts() (Mounts, error) {
	m := Mounts{Bed: h.bed, kvm: accel.KVMOpens() == nil}
	for _, file := range h.Shown {
		m.binds = append(m.binds, h.fileBind(file))
	}
	key, err := accel.CapsKey(h.emulator)
	if err != nil {
		return m, err
	}
	if m.kvm {
		key += "-kvm"
	}
	m.caps = filepath.Join(h.tb.Cache, "libvirt-capabilities", key)
	for _, dir := range []string{m.Bed, m.caps} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return m, err
		}
	}
	for _, dir := range []string{filepath.Dir(m.caps), m.caps} {
		os.Lchown(dir, h.tb.UID, h.tb.GID) // to be able to delete them is a comfort, no need
	}
	return m, nil
}

// Put shows the daemon a file of the cache's, and those that come after it, and
// returns the path there. The rest of the cache isn't QEMU's business.
func (h *Host) Put(_ context.Context, file string) (string, error) {
	to := h.Inside(file)
	if to == file || strings.HasPrefix(file, h.bed+"/") {
		return to, nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if slices.Contains(h.Shown, file) {
		return to, nil
	}
	// Whoever's umask it was made with: QEMU is another user. On a file system
	// without modes all may read it.
	if st, err := os.Stat(file); err != nil {
		return to, err
	} else if st.Mode().Perm()&0o004 == 0 {
		if err := os.Chmod(file, 0o644); err != nil {
			return to, err
		}
	}
	err := h.daemon.attach(h.fileBind(file))
	if err == nil || errors.Is(err, errNoDaemon) { // its successor will see it
		h.Shown = append(h.Shown, file)
		return to, nil
	}
	return to, err
}

func (h *Host) fileBind(file string) *Bind {
	return &Bind{From: file, To: h.Inside(file), Attr: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOSUID}
}

// Inside turns a path below the cache or the testbed's folders into the one
// under which the daemon sees it.
func (h *Host) Inside(path string) string {
	if rest, ok := strings.CutPrefix(path, h.tb.Cache+"/"); ok {
		return InsideFiles + "/" + strings.ReplaceAll(rest, "/", "-")
	}
	if rest, ok := strings.CutPrefix(path, h.bed+"/"); ok {
		return InsideBed + "/" + rest
	}
	for _, dir := range []string{h.tb.Dir, h.tb.Work} { // what a trial made: Spec.Disk
		if rest, ok := strings.CutPrefix(path, dir+"/"); ok && dir != "" {
			return InsideFiles + "/testbed-" + strings.ReplaceAll(rest, "/", "-")
		}
	}
	return path
}

// Attach mounts further folders and files in the daemon's namespace, in order.
// With an error, attached are those that Detach has to take away.
func (h *Host) Attach(binds ...*Bind) (attached []*Bind, err error) {
	for _, b := range binds {
		if err := h.Now().attach(b); err != nil {
			return attached, err
		}
		attached = append(attached, b)
	}
	return attached, nil
}

// Detach takes away again what Attach showed. With the daemon it went by itself.
func (h *Host) Detach(binds []*Bind) error {
	if len(binds) == 0 {
		return nil
	}
	err := h.Enter(func() error {
		var errs []error
		for _, b := range binds {
			errs = append(errs, b.detach())
		}
		return errors.Join(errs...)
	})
	if errors.Is(err, errNoDaemon) || errors.Is(err, unix.EINVAL) || errors.Is(err, os.ErrNotExist) {
		return nil // another daemon's namespace has nothing of ours
	}
	return err
}

// Enter calls f in the daemon's mount namespace.
func (h *Host) Enter(f func() error) error { return h.Now().enter(f) }

// Now is the daemon, or nil.
func (h *Host) Now() *Daemon {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.daemon
}

// DaemonPID is the daemon's PID, or 0 without one.
func (h *Host) DaemonPID() int {
	if d := h.Now(); d != nil {
		return d.Proc.PID()
	}
	return 0
}

// Blame says of a failed call whether it was the daemon that ended.
func (h *Host) Blame(err error) error {
	if d := h.Now(); d != nil && d.over(sawEnd) {
		return bench.Blamed(bench.BlameMachine, fmt.Errorf("%w: libvirt's daemon ended: %v", err, d.exit))
	}
	return err
}

// QEMU is the PID of a domain's process, as libvirt wrote it down.
func (h *Host) QEMU(name string) (int, error) {
	return readPID(filepath.Join(h.bed, "run/qemu", name+".pid"))
}

// readPID reads a file with a PID.
func readPID(file string) (int, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(b)))
}

// Close ends the connection and the daemon.
func (h *Host) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil
	}
	h.closed = true
	var errs []error
	if h.conn != nil {
		errs = append(errs, h.conn.Close(context.Background()))
	}
	if h.daemon != nil {
		errs = append(errs, h.daemon.Stop())
	}
	h.reaper.close()
	return errors.Join(append(errs, h.log.Close())...)
}

var errNoDaemon = errors.New("libvirt's daemon has ended")

// attach mounts something in the daemon's namespace.
func (d *Daemon) attach(b *Bind) error {
	if err := b.open(); err != nil {
		return err
	}
	defer b.close()
	return d.enter(func() error { return b.attach("") })
}

// enter calls f on a thread in the daemon's mount namespace, which ends with the
// call.
func (d *Daemon) enter(f func() error) error {
	if d == nil || !d.alive() {
		return errNoDaemon
	}
	ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/mnt", d.Proc.PID()))
	if err != nil {
		return err
	}
	defer ns.Close()
	return launch.Do(func() error {
		// The threads of a program share their root and working folder, and one
		// that does can't change its mount namespace.
		if err := unix.Unshare(unix.CLONE_FS); err != nil {
			return os.NewSyscallError("unshare", err)
		}
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNS); err != nil {
			return os.NewSyscallError("setns", err)
		}
		return f()
	})
}
