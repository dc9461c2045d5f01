// Package testbed is the private corner of this machine in which all instances
// of a run live and die.
//
// It is made in one of two ways. [Enter] makes it in the worker, which was
// started as PID 1 of new mount, network, PID and IPC namespaces (see [Spawn]):
// when the worker dies, however it dies, the kernel kills every process in the
// testbed, and frees every mount and every network device of it. [Local] makes
// it for a single program (lab exec) without namespaces of its own.
//
// What the kernel doesn't free by itself is tagged with the testbed's ID before
// it is used: cgroup folders, the work folder, and the run folder /run/lab/<ID>.
// A process that outlives the owner removes it ([Undertaker]); where that was
// killed, too, the next lab does ([Sweep]). The owner of a testbed holds a lock on
// its run folder; a testbed whose folder isn't locked has no owner any more.
package testbed

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"lab/bench/cgroup"
)

// A Testbed is where instances are made. It is handed to environments.
type Testbed struct {
	ID    string // 8 hex digits, in the name and tag of all that it makes
	Dir   string // a private folder on tmpfs: sockets, overlay layers, small files
	Cache string // the user's cache folder, kept between runs: guest kernel, images, probes' verdicts
	UID   int    // whom the files in Cache belong to
	GID   int

	// Work is a folder of this testbed's on the user's choice of a file
	// system; "" before OpenWork.
	Work string

	Cgroups *cgroup.Tree // nil where this machine has no usable cgroup hierarchy

	// Private is true in a worker: this process is alone in its mount,
	// network, PID and IPC namespaces.
	Private bool

	// NAT publishes a port by rules of the kernel: nat.Publish. Nil where this
	// process isn't in the testbed's network namespace.
	NAT func(p Port, to netip.Addr) (io.Closer, error)

	// Outside opens a connection to the foreign engine that the user has named: no other
	// machine can be reached from here. Nil where there is none.
	Outside func() (net.Conn, error)

	// Log makes a file in the results folder's logs/ (in lab exec: a file
	// that nobody keeps).
	Log func(name string) (*os.File, error)

	watcher Watcher
	folder  *os.File // the run folder, locked
	top     *os.File // in a worker: the tmpfs on it, locked
	work    *os.File // Work, locked; or nil
	mu      sync.Mutex
	net     *Network
}

// newID makes a testbed's ID. It needs to be nobody else's, not secret: crypto/rand
// tests and seeds a generator of its own before it gives the first byte.
func newID() string { return fmt.Sprintf("%08x", rand.Uint32()) }

// isID says whether a name can be a testbed's ID. What can't isn't the lab's, though
// it lie where the lab's things do or bear its tag.
func isID(s string) bool { return len(s) == 8 && strings.Trim(s, "0123456789abcdef") == "" }

// Local makes a testbed without namespaces of its own, in this process. groups says
// what its cgroups are for; nil: there are none, since making and removing them is
// a good part of a short command's time. What a killed process leaves of it the
// undertaker removes.
func Local(cache string, groups *cgroup.Options, u Undertaker) (*Testbed, error) {
	f, w, err := newFolder(u)
	if err != nil {
		return nil, err
	}
	tb := &Testbed{ID: filepath.Base(f.Name()), Dir: f.Name(), Cache: cache, folder: f, watcher: w,
		UID: os.Getuid(), GID: os.Getgid(),
		Log: func(string) (*os.File, error) { return os.OpenFile(os.DevNull, os.O_WRONLY, 0) }}
	if err := tb.cgroups(groups); err != nil {
		return nil, errors.Join(err, tb.Close())
	}
	return tb, nil
}

// cgroups makes the testbed's subtree, where there is anything to make it in.
func (tb *Testbed) cgroups(groups *cgroup.Options) error {
	if groups == nil {
		return nil
	}
	l, err := cgroup.Read()
	if err != nil {
		return err
	}
	if l.Kind() == "none" {
		return nil
	}
	tb.Cgroups, err = l.Create(tb.ID, *groups, tb.recordGroup)
	if errors.Is(err, unix.EROFS) {
		// A container's read-only view: limits will be refused, with the
		// reason; all else works.
		tb.Cgroups, err = nil, nil
	}
	return err
}

// Leads is where the process that the workload is writes its PID, in decimal, if it
// leads a session: should this process be killed, all that is left of the session
// is, too. It is nil where nobody watches. Forget takes it back.
func (tb *Testbed) Leads() []byte {
	if tb.watcher == nil {
		return nil
	}
	return tb.watcher.Leads()
}

// Forget says that nobody leads a session any more.
func (tb *Testbed) Forget() {
	if tb.watcher != nil {
		tb.watcher.Forget()
	}
}

// groupLink begins the names of the links in the run folder that lead to the
// testbed's cgroup folders.
const groupLink = "cgroup-"

// recordGroup links the run folder to a cgroup folder that is about to be made:
// that is how the sweep finds what a killed lab left, tagged or not. The descriptor
// leads to the run folder itself, which in a worker is covered.
func (tb *Testbed) recordGroup(dir string) error {
	sum := sha256.Sum256([]byte(dir)) // a path may be longer than a name
	name := groupLink + hex.EncodeToString(sum[:8])
	err := unix.Symlinkat(dir, int(tb.folder.Fd()), name)
	if err == unix.EEXIST {
		return nil
	}
	return os.NewSyscallError("symlinkat", err)
}

// Close removes what the testbed made that the kernel wouldn't free. It may be
// called twice.
func (tb *Testbed) Close() error {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	var errs []error
	if tb.net != nil {
		errs = append(errs, tb.net.close())
		tb.net = nil
	}
	if tb.Cgroups != nil {
		errs = append(errs, tb.Cgroups.Remove())
		tb.Cgroups = nil
	}
	errs = append(errs, tb.closeWork())
	if tb.folder != nil {
		if !tb.Private { // a worker's is its supervisor's to remove
			errs = append(errs, removeFolder(tb.folder))
		}
		tb.folder.Close()
		tb.top.Close() // nil where there is none
		tb.folder, tb.top = nil, nil
	}
	closeWatcher(tb.watcher)
	tb.watcher = nil
	return errors.Join(errs...)
}

// Network returns the testbed's bridge, and makes it the first time.
func (tb *Testbed) Network() (*Network, error) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	if tb.net == nil {
		n, err := newNetwork(tb.Private)
		if err != nil {
			return nil, fmt.Errorf("testbed network: %w", err)
		}
		tb.net = n
	}
	return tb.net, nil
}
