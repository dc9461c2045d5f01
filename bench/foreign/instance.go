package foreign

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/cgroup"
	"lab/bench/clean"
	"lab/bench/launch"
	"lab/bench/testbed"
)

// An Instance is one run of a maker's program, and the workload in it. It is the
// program's launch.Process, with all that concerns the workload put right.
type Instance struct {
	*launch.Process
	env     *Env
	spec    bench.Spec
	order   Order
	network *testbed.Network // nil without a bridge
	addr    netip.Prefix

	group *cgroup.Group // of what the program makes, where it makes cgroups
	dir   *os.File      // its folder, which only its mount namespace shows
	layer string        // the upper layer's folder in the work folder, or ""

	published []io.Closer // its ports
	text      output      // what the program said
	pipe      *os.File    // from which that is read, where nobody else wanted it
	theirs    *os.File    // the program's end of it
	unfit     error       // why Start will fail
	heard     sync.WaitGroup
	late      atomic.Pointer[time.Timer] // until there must be a workload

	killed  atomic.Bool // by us
	passed  atomic.Bool // a signal of ours may have ended the program
	stuck   atomic.Bool // there was no workload in time
	judging sync.Once
	exit    bench.Exit
	err     error
	closing sync.Once
	closed  error
}

// holds is the cgroup that has the workload, once it was started: of what the program
// makes, or the program's own.
func (i *Instance) holds() *cgroup.Group {
	if i.group != nil {
		return i.group
	}
	return i.Group()
}

// count numbers the instances of this process.
var count atomic.Int64

// instance writes down what the program will be told.
func (e *Env) instance(s bench.Spec) *Instance {
	i := &Instance{env: e, spec: s, text: output{clean.Tail{Most: mostSaid}}}
	i.order, i.unfit = e.Order(s)
	if e.maker.Cgroup != "" && e.tb.Cgroups != nil {
		i.order.Group = e.tb.Cgroups.Reserve()
	}
	i.Process = launch.New(i.plan())
	return i
}

// Order is what is to be made of a Spec, as the next instance. An error is the workload's.
func (e *Env) Order(s bench.Spec) (o Order, err error) {
	o = Order{Spec: s, ID: fmt.Sprintf("lab-%s-%d", e.tb.ID, count.Add(1)), Dir: filepath.Join(e.tb.Dir, e.maker.Store), Host: cmp.Or(s.Hostname, Hostname)}
	if e.maker.Whole {
		o.Dir = filepath.Dir(e.tb.Dir)
	}
	o.Root = filepath.Join(o.Dir, "root")
	o.Spec.Command.Dir = cmp.Or(s.Command.Dir, "/")
	o.Argv, err = argv(s)
	return o, err
}

// argv is what will be executed inside. An error is the workload's.
func argv(s bench.Spec) ([]string, error) {
	c := s.Command
	path, err := find(s.Image.Dir, c)
	if err != nil {
		if len(s.Mounts) == 0 || !errors.Is(err, unix.ENOENT) {
			return nil, err
		}
		path = launch.PathInside(c)[0] // it may be on a volume
	}
	argv := append([]string{path}, c.Argv[1:]...)
	if s.Init {
		argv = append([]string{InitPath}, argv...)
	}
	return argv, nil
}

// Start runs the program. It returns when that was executed: the workload follows, and
// what becomes of it Wait and Explain say.
func (i *Instance) Start(ctx context.Context) error {
	if i.unfit == nil {
		err := i.Process.Start(ctx)
		if i.theirs != nil {
			i.theirs.Close()
		}
		if err == nil {
			i.late.Store(time.AfterFunc(StartWithin, i.hurry))
		}
		return err
	}
	i.Process.Close() // no later Start, and nothing to wait for
	return i.unfit
}

// plan is how the program is started. Its command follows in Start.
func (i *Instance) plan() launch.Plan {
	e := i.env
	p := launch.Plan{Leave: leave, Cleanup: i.cleanup}
	limits := i.spec.Limits
	if e.maker.Whole {
		limits.Pids = 0 // the program has threads of its own, and makes a group with it
	}
	p.Group = func() (*cgroup.Group, error) {
		if e.maker.Everywhere {
			return e.tb.Cgroups.New(limits, e.tb.Cgroups.Hierarchies()...)
		}
		return e.tb.Cgroups.New(limits)
	}
	if len(i.spec.Ports) > 0 {
		// First: the listener's namespace is the one that the thread begins in.
		p.Steps = append(p.Steps, launch.Step{Name: "ports", Do: i.publish})
	}
	if e.maker.Cgroup != "" {
		p.Group = func() (*cgroup.Group, error) { return e.tb.Cgroups.New(bench.Limits{}) }
		p.Steps = append(p.Steps, launch.Step{Name: "limits", Do: func(*launch.Thread) (err error) {
			i.group, err = e.tb.Cgroups.Make(i.order.Group, i.spec.Limits, e.tb.Cgroups.Hierarchies()...)
			return err
		}})
	}
	p.Steps = append(p.Steps, launch.Step{Name: "namespaces", Do: i.enter}, launch.Step{Name: "root", Do: i.makeRoot})
	p.Command = i.spec.Command
	if i.unfit != nil {
		return p
	}
	if c := &p.Command; c.Stderr == nil && !c.TTY {
		if i.pipe, i.theirs, i.unfit = os.Pipe(); i.unfit != nil {
			return p
		}
		c.Stderr = i.theirs
		i.heard.Go(func() { io.Copy(&i.text, i.pipe) })
	}
	// The program is the machine's: the command's variables, user and folder are for it
	// to pass on, and not its own.
	p.Command.Dir, p.Command.User, p.Command.Env = "/", bench.User{}, i.surroundings()
	p.Find = func(bench.Command) []string {
		path, _ := e.path() // Check has seen it
		return []string{path}
	}
	p.Command.Argv = append([]string{filepath.Base(e.maker.Program)}, e.maker.Args(&i.order)...)
	return p
}

// surroundings are the program's own variables.
func (i *Instance) surroundings() []string {
	return []string{"PATH=" + bench.DefaultPath, "HOME=" + i.order.Dir, "TMPDIR=" + i.order.Dir}
}

func (i *Instance) publish(*launch.Thread) error {
	for _, p := range i.spec.Ports {
		f, err := i.network.Publish(p, i.addr.Addr())
		if err != nil {
			return bench.Blamed(bench.BlameMachine, err)
		}
		i.published = append(i.published, f)
	}
	return nil
}
