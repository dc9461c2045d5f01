package vm

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/clock"
	"lab/bench/launch"
	"lab/bench/probe/guestinit/wire"
	"lab/bench/testbed"
	"lab/vm/client"
	"lab/vm/domain"
	"lab/vm/guest"
)

// createTimeout bounds libvirt's work on a start: half a second when all is
// well, several on a machine that does much else.
const createTimeout = 30 * time.Second

// An instance is one domain, and the workload in it.
type instance struct {
	env  *Env
	spec bench.Spec
	cfg  domain.Config
	err  error // why Start will fail
	far  *far  // in a foreign libvirt, or nil

	began clock.Time
	marks []clock.Mark

	loads   []string // files of the cache's that its machine starts with
	console *guest.Console
	data    *dataDisk        // nil without one
	user    int              // that its QEMU runs as
	shown   []*bind          // what the daemon sees for its sake
	network *testbed.Network // the testbed's; nil without a bridge
	addr    netip.Prefix     // on it, or on a network of a foreign libvirt's
	session *guest.Session   // with the guest's init, where there is one
	main    *guest.Program   // the workload, where that init runs it
	idle    bool             // that init is to wait for work, and gets none
	saved   *savedState      // what it is restored from, or nil

	conn    *client.Conn
	created bool
	events  <-chan client.Event
	stopped chan struct{} // closed when libvirt has noticed its end
	pid     int           // QEMU's
	pidfd   int           // a hold on it
	ended   chan struct{} // closed when QEMU is gone, and exit is valid
	exit    bench.Exit
	exitErr error
	ooms    int64  // how often memory had run out when QEMU was started
	death   string // how QEMU ended, where that is known

	mu      sync.Mutex // guards what follows
	started bool
	ran     bool // Start succeeded
	cancel  context.CancelFunc
	tried   chan struct{}  // closed when Start returned
	killed  syscall.Signal // what the caller ended the guest with
	stuck   string         // why the guest was ended that could have gone on no more

	once   sync.Once
	closed error
}

// Prepare unpacks the kernel and builds the initramfs where the cache doesn't
// have them, and writes down the domain.
func (e *Env) Prepare(ctx context.Context, s bench.Spec) (bench.Instance, error) {
	if err := e.Check(ctx, s); err != nil {
		return nil, err
	}
	if e.bare {
		return e.prepareBare(ctx, s)
	}
	i, err := e.define(ctx, actual(s))
	if err != nil || i.err != nil || !restored(s) {
		return i, err
	}
	i.saved, err = e.saved(ctx, i)
	return i, err
}

// define writes down the domain of an instance.
func (e *Env) define(ctx context.Context, s bench.Spec) (*instance, error) {
	k, err := e.kernel(s)
	if err != nil {
		return nil, err
	}
	i := e.newInstance(s, k)
	net, err := i.addCard(ctx)
	if err != nil {
		return nil, err
	}
	if err := i.prepare(ctx, k, net); err != nil {
		return nil, errors.Join(err, i.Close())
	}
	return i, nil
}

// prepare does what is particular to guests with a kernel. An error of the
// workload's is Start's, as in every environment.
func (i *instance) prepare(ctx context.Context, k guestKernel, net wire.Net) error {
	e, s := i.env, i.spec
	var err error
	if i.cfg.Kernel, err = i.put(ctx, k.file); err != nil {
		return err
	}
	line, err := cmdline(s, boot(s, net))
	var missing *launch.ExecError
	switch {
	case errors.Is(err, errNoCommand), errors.As(err, &missing):
		i.err = bench.Blamed(bench.BlameWorkload, err)
		return nil
	case err != nil:
		return bench.Blamed(bench.BlameWorkload, err)
	}
	if !i.cfg.ACPI {
		// Or the kernel says on the console that it misses the tables.
		line.More = append(line.More, "acpi=off")
	}
	if i.cfg.Cmdline, err = line.String(); err != nil {
		return bench.Blamed(bench.BlameWorkload, err)
	}
	if err := i.addRoot(ctx, s, k); err != nil {
		return err
	}
	addData(&i.cfg, s)
	for n, x := range shares(s) {
		i.cfg.Shares = append(i.cfg.Shares, domain.Share{Tag: x.Tag, Dir: i.shareDir(n)})
	}
	if s.Init {
		i.cfg.Channel = e.inside(i.file(".port"))
	}
	_, err = e.connection(ctx)
	return err
}

var errNoCommand = errors.New("no command")

// cmdline says who is PID 1: the workload, where the kernel alone can start it,
// or the lab's init, which then becomes the workload, or runs it.
func cmdline(s bench.Spec, b wire.Boot) (line domain.Cmdline, err error) {
	if len(s.Command.Argv) == 0 || s.Command.Argv[0] == "" {
		return line, errNoCommand
	}
	if !s.Init {
		path, err := lookup(s.Image.Dir, s.Command)
		if err != nil {
			return line, err
		}
		line.Init, line.Args, line.Env = path, s.Command.Argv[1:], kernelEnv(s.Command.Env)
	}
	if staged(s) {
		if !s.Init {
			b.Exec = append([]string{line.Init}, line.Args...)
		}
		line.Init, line.Args = "/"+initDir+"/init", b.Words()
	}
	return line, nil
}

// newInstance is an instance as far as all are alike.
func (e *Env) newInstance(s bench.Spec, k guestKernel) *instance {
	i := &instance{env: e, spec: s, pidfd: -1, ended: make(chan struct{}), stopped: make(chan struct{}), tried: make(chan struct{})}
	i.cfg = e.config(s, k)
	n := e.count.Add(1)
	i.cfg.Name = fmt.Sprintf("lab-%s-%s-%d", e.tb.ID, e.Name(), n)
	if e.far != nil {
		i.cfg.Remote, i.cfg.Owner = true, thisMachine()
		return i
	}
	i.user = userOf(n)
	i.cfg.User, i.cfg.Group = i.user, qemuID()
	i.cfg.Console = e.inside(i.file(".serial"))
	i.cfg.ConsoleLog = e.inside(i.file(".console"))
	return i
}

// put makes a file of the lab's visible to libvirt, and returns its path there.
func (i *instance) put(ctx context.Context, file string) (string, error) {
	e := i.env
	i.loads = append(i.loads, file)
	if e.far == nil {
		return e.inside(file), e.show(file)
	}
	c, err := e.connection(ctx)
	if err != nil {
		return "", err
	}
	return e.far.place(ctx, c, e.tb.ID+"-"+e.Name(), file)
}

// Loads is what put was given: kernel, initramfs, the image's disk.
func (i *instance) Loads() []string { return i.loads }

// file is the path of a file of the instance, outside the daemon's namespace.
func (i *instance) file(suffix string) string {
	return filepath.Join(i.env.bed(), i.cfg.Name+suffix)
}

// lookup finds the workload in the image, and gives its path in the guest.
func lookup(root string, c bench.Command) (string, error) {
	worst := &launch.ExecError{Path: c.Argv[0], Err: unix.ENOENT}
	for _, name := range launch.PathInside(c) {
		// The image's links are the guest's to follow; on the host an
		// absolute one would lead out of the image.
		st, err := os.Lstat(filepath.Join(root, name))
		switch {
		case err != nil:
		case st.IsDir(), st.Mode().IsRegular() && st.Mode()&0o111 == 0:
			worst = &launch.ExecError{Path: name, Err: unix.EACCES}
		default:
			return name, nil
		}
	}
	return "", worst
}
