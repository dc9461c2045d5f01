// Package chroot is the two environments without a kernel boundary of their
// own: host, where the workload is a plain process, and chroot, where it is one
// that sees another root folder.
//
// Both are plans for bench/launch: host's has no step, chroot's has one. What
// is read here is therefore all that chroot adds to a process:
//
//	unshare(CLONE_FS)   the thread's root and working folder become its own
//	chdir, chroot       and are moved into the image
//
// chroot protects nothing below the new root, and all instances share their
// image. So the folder that they are moved into is a second view of it, which
// is read-only (image.go): made once, before the clock starts.
//
// Neither has a cgroup unless limits are asked for, and then both get the
// same, as the container does.
package chroot

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/cgroup"
	"lab/bench/launch"
	"lab/bench/testbed"
)

// An Env is host or chroot.
type Env struct {
	name string
	tb   *testbed.Testbed

	mu     sync.Mutex
	copies map[string]string // by image folder: its copy in the work folder
	views  map[string]int    // likewise: a descriptor of its read-only view
}

// Host is the environment in which the workload is a process of the testbed,
// nothing more. Its image is a folder among others: a program is looked up in
// it first, and then on the machine. The working folder is the machine's.
func Host() *Env { return &Env{name: "host"} }

// Chroot is the environment in which the image is the process's root folder,
// and everything else is shared.
func Chroot() *Env { return &Env{name: "chroot"} }

// Name is "host" or "chroot".
func (e *Env) Name() string { return e.name }

// About says what both are.
func (e *Env) About() bench.About {
	a := bench.About{Default: true}
	if e.name == "host" {
		a.HostFiles = true
		a.Is, a.Needs = "a process, nothing more", "root, for the testbed around it"
		a.Caveat = "the same program in the testbed's own namespaces, without its own file tree. " +
			"What “host” networking means here is the testbed's network, without the user's firewall"
		a.Rests = append(bench.RestsOn("root", "limits"), bench.Rest{Check: "veth and bridge", Variant: "netns=own"})
		return a
	}
	a.Is, a.Needs = "a process that sees another root folder", "root"
	a.Rests = bench.RestsOn("root", "limits", "busybox", "disk")
	return a
}

// Settings are what every environment has, and the host's network.
func (e *Env) Settings() []bench.Setting {
	if e.name == "host" {
		return []bench.Setting{netns, bench.PageCache}
	}
	return []bench.Setting{bench.PageCache}
}

// Open keeps the testbed.
func (e *Env) Open(_ context.Context, tb *testbed.Testbed) error {
	e.tb = tb
	return nil
}

// Close lets go of the images.
func (e *Env) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, fd := range e.views {
		unix.Close(fd)
	}
	e.views = nil
	return nil
}

// Check says whether the limits can be kept, and, for chroot, whether we may.
func (e *Env) Check(_ context.Context, s bench.Spec) error {
	if len(s.Mounts) > 0 {
		return bench.NotApplicable(e.name+" has no mounts of its own", "use the folder itself, or a container")
	}
	if len(s.Ports) > 0 {
		return bench.NotApplicable(e.name+" has no network of its own: its ports are there already", "--env container")
	}
	if s.Hostname != "" {
		return bench.NotApplicable(e.name+" has the host's name", "--env container")
	}
	if e.name == "chroot" && os.Geteuid() != 0 {
		return bench.Unavailable("chroot(2) needs root", "sudo lab …")
	}
	if e.name == "chroot" && !s.Work && s.Image.Dir != "" {
		if _, err := e.view(s.Image.Dir); err != nil {
			return bench.Unavailable(err.Error(), "Linux 5.12 or later, outside of another container")
		}
	}
	if s.Settings["netns"] == "own" && os.Geteuid() != 0 {
		return bench.Unavailable("a network namespace needs root", "sudo lab …")
	}
	if s.Work && e.tb.Work == "" {
		return bench.ErrNoWork
	}
	if s.Work && s.Settings["netns"] == "own" {
		return bench.NotApplicable("a process has a work folder or a network of its own", "--variant netns=testbed")
	}
	return bench.CheckLimits(e.tb, s.Limits)
}

// Groups is 1 for what has limits.
func (e *Env) Groups(s bench.Spec) int {
	if s.Limits.None() {
		return 0
	}
	return 1
}

// Prepare makes sure that a disposable thread is there.
func (e *Env) Prepare(_ context.Context, s bench.Spec) (bench.Instance, error) {
	if !launch.Alone.Load() || e.name != "host" || s.Work || s.Settings["netns"] == "own" {
		launch.Ready(1)
	}
	if s.Work {
		return e.prepareWork(s)
	}
	if s.Settings["netns"] == "own" {
		return e.wire(e.hosted(s))
	}
	if e.name == "host" {
		return launch.New(e.hosted(s)), nil
	}
	fd, err := e.view(s.Image.Dir)
	if err != nil {
		return nil, fmt.Errorf("chroot: %w", err)
	}
	return launch.New(e.rooted(s, fd)), nil
}

// hosted is the start of a host process.
func (e *Env) hosted(s bench.Spec) launch.Plan {
	p := e.plan(s)
	p.Find = func(c bench.Command) []string { return find(s.Image.Dir, c) }
	return p
}

// rooted is the start of a program whose root is the folder that fd is open on.
func (e *Env) rooted(s bench.Spec, fd int) launch.Plan {
	p := e.plan(s)
	p.Steps = []launch.Step{{Name: "chroot", Do: func(*launch.Thread) error { return enter(fd) }}}
	return p
}

// plan is what both have.
func (e *Env) plan(s bench.Spec) launch.Plan {
	p := launch.Plan{Command: s.Command}
	if e.Groups(s) > 0 && e.tb.Cgroups != nil {
		p.Group = func() (*cgroup.Group, error) { return e.tb.Cgroups.New(s.Limits) }
	}
	if p.Command.Dir == "" {
		p.Command.Dir = "/"
	}
	return p
}

// enter makes a folder the calling thread's root and working folder.
func enter(fd int) error {
	// Threads share both (clone(2), CLONE_FS) until one of them asks not to.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return os.NewSyscallError("unshare", err)
	}
	// A working folder that stays outside leads out, by "..".
	if err := unix.Fchdir(fd); err != nil {
		return os.NewSyscallError("chdir", err)
	}
	return os.NewSyscallError("chroot", unix.Chroot("."))
}

// find lists where a host process's program may be: in the image, then on the
// machine itself.
func find(root string, c bench.Command) []string {
	name := c.Argv[0]
	if strings.Contains(name, "/") {
		if !filepath.IsAbs(name) {
			name = filepath.Join("/", c.Dir, name)
		}
		return []string{filepath.Join(root, name), name}
	}
	var inside, outside []string
	for _, dir := range c.Path() {
		inside = append(inside, filepath.Join(root, dir, name))
		outside = append(outside, filepath.Join(dir, name))
	}
	return append(inside, outside...)
}

// Describe says what Prepare and Start do.
func (e *Env) Describe(s bench.Spec) (prepare, start []string) {
	prepare = []string{"a thread waits"}
	if s.Work && e.name == "chroot" {
		prepare = append(prepare, "the image is copied into the work folder")
	} else if e.name == "chroot" {
		prepare = append(prepare, "a read-only view of the image is made (a mount that is attached nowhere)")
	}
	if !s.Limits.None() {
		start = append(start, "make the cgroup")
	}
	if e.name == "chroot" {
		start = append(start, "unshare the thread's root folder, chroot into the image")
	}
	if s.Settings["netns"] == "own" {
		prepare = append(prepare, "the bridge exists, an address is reserved")
		start = append(start, "unshare the network namespace, make the veth pair, put one end on the bridge, set address and route")
	}
	return prepare, append(start, "clone, execute")
}
