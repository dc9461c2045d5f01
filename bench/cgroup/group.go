package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"lab/bench/input"

	"golang.org/x/sys/unix"
)

// A Group is one instance's folder, in every hierarchy of the tree.
type Group struct {
	tree  *Tree
	name  string
	v1    []string // one a hierarchy
	v2    string
	mem   string // the folder with the memory controller's files, or ""
	memV2 bool
}

// New makes a group with these limits, in the hierarchies of more as well. A limit
// whose controller the machine doesn't offer is an error that wraps
// ErrNoController; it is never dropped.
func (t *Tree) New(lim Limits, more ...string) (*Group, error) {
	name := t.Reserve()
	switch {
	case t.single && name != "1":
		return nil, errors.New("cgroup: a tree for one group has one already")
	case t.single:
		name = ""
	}
	return t.Make(name, lim, more...)
}

// Reserve is the name of a group that Make will make: no other has it.
func (t *Tree) Reserve() string { return strconv.FormatInt(t.count.Add(1), 10) }

// Make is New with a name.
func (t *Tree) Make(name string, lim Limits, more ...string) (_ *Group, err error) {
	if c := t.Lacks(lim); c != "" {
		return nil, fmt.Errorf("cgroup: limit needs %s: %w", c, ErrNoController)
	}
	g := &Group{tree: t, name: name}
	defer func() {
		if err != nil {
			g.Remove()
		}
	}()
	dirs, roots, err := t.join(lim, more)
	if err != nil {
		return nil, err
	}
	for _, root := range roots {
		dir := filepath.Join(root, g.name)
		if !t.single {
			if err := unix.Mkdir(dir, 0o755); err != nil {
				return nil, fmt.Errorf("cgroup: make %s: %w", dir, err)
			}
		}
		if root == t.v2 {
			g.v2 = dir
			continue
		}
		g.v1 = append(g.v1, dir)
		if root == dirs["cpuset"] && !t.single {
			if err := inherit(dir); err != nil {
				return nil, err
			}
		}
	}
	switch {
	case dirs["memory"] != "":
		g.mem = filepath.Join(dirs["memory"], g.name)
	case t.Has("memory"):
		g.mem, g.memV2 = g.v2, true
	}
	return g, g.limit(dirs, lim)
}

// limit writes the limits where their controllers live: in the v1 folders
// below dirs, else in the v2 folder.
func (g *Group) limit(dirs map[string]string, lim Limits) error {
	for _, f := range lim.files() {
		dir, name, value := g.v2, f.v2, f.v2value
		if d := dirs[f.controller]; d != "" {
			dir, name, value = filepath.Join(d, g.name), f.v1, f.v1value
		}
		err := write(dir, name, value)
		if f.optional && errors.Is(err, unix.ENOENT) {
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Entrance opens the ways into the group: its v2 folder, for clone3's
// CLONE_INTO_CGROUP, or nil if there is no v2 tree; and the files of its v1 folders
// to which a task writes "0" to enter. Whoever calls it closes them.
func (g *Group) Entrance() (v2 *os.File, tasks []*os.File, err error) {
	open := func(name string, flags int) (f *os.File) {
		fd, oerr := unix.Open(name, flags|unix.O_CLOEXEC, 0)
		if oerr != nil {
			err = errors.Join(err, fmt.Errorf("cgroup: open %s: %w", name, oerr))
			return nil
		}
		return os.NewFile(uintptr(fd), name)
	}
	if g.v2 != "" {
		v2 = open(g.v2, unix.O_RDONLY|unix.O_DIRECTORY)
	}
	for _, dir := range g.v1 {
		if f := open(filepath.Join(dir, "tasks"), unix.O_WRONLY); f != nil {
			tasks = append(tasks, f)
		}
	}
	return v2, tasks, err
}

// Name is what the group's folders are called in those of the tree.
func (g *Group) Name() string { return g.name }

// Dirs are the group's folders.
func (g *Group) Dirs() []string {
	if g.v2 == "" {
		return g.v1
	}
	return append(slices.Clone(g.v1), g.v2)
}

// Show makes the group's folders the tops of their hierarchies in the mount namespace
// of the calling thread, which must be its own: a program that makes cgroups there
// makes them below the group, whatever it is told. A hierarchy that the group isn't in
// is hidden, and so is a v2 tree next to v1 ones: some programs refuse such a machine.
func (g *Group) Show() error {
	t, l := g.tree, g.tree.layout
	t.mu.Lock()
	defer t.mu.Unlock()
	shown := map[string]string{} // by mount point; controllers may share one
	for c, point := range l.V1 {
		if dir := filepath.Join(t.dirs[c], g.name); slices.Contains(g.v1, dir) {
			shown[point] = dir
		}
	}
	if len(l.V1) == 0 && g.v2 != "" {
		shown[l.V2] = g.v2
	}
	for _, point := range l.points() {
		dir, ok := shown[point]
		if !ok {
			if err := unix.Unmount(point, unix.MNT_DETACH); err != nil {
				return fmt.Errorf("cgroup: hide %s: %w", point, err)
			}
			continue
		}
		if err := unix.Mount(dir, point, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("cgroup: show %s at %s: %w", dir, point, err)
		}
	}
	return nil
}

// Hit says whether the group, with those below it, came to its limit of memory in v1.
// That counts no kills of groups below; in v2 OOMKilled counts them, too.
func (g *Group) Hit() bool {
	read := func(name string) int64 {
		b, _ := os.ReadFile(filepath.Join(g.mem, name))
		n, _ := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
		return n
	}
	const near = 64 << 10 // the kernel takes memory for a group in portions
	limit := read("memory.limit_in_bytes")
	return g.mem != "" && limit > 0 && read("memory.max_usage_in_bytes") >= limit-near
}

// Kill kills every process in the group: at once with cgroup.kill, else one by
// one, again and again while there are new ones (a fork may outrun a pass).
func (g *Group) Kill() {
	if g.v2 != "" && write(g.v2, "cgroup.kill", "1") == nil {
		return
	}
	for _, dir := range g.Dirs() {
		for range 100 {
			b, err := input.Kernel(filepath.Join(dir, "cgroup.procs"))
			if err != nil || len(b) == 0 {
				break
			}
			killAll(dir)
		}
	}
}

// OOMKilled says whether the kernel killed a process of the group for want of
// memory, by the group's own count (memory.events' oom_kill in v2,
// memory.oom_control's in v1).
func (g *Group) OOMKilled() bool {
	if g.mem == "" {
		return false
	}
	name := "memory.oom_control"
	if g.memV2 {
		name = "memory.events"
	}
	b, err := input.Kernel(filepath.Join(g.mem, name))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "oom_kill "); ok {
			return strings.TrimSpace(v) != "0"
		}
	}
	return false
}

// Remove kills what is in the group and removes its folders.
func (g *Group) Remove() error {
	var errs []error
	for _, dir := range g.Dirs() {
		errs = append(errs, RemoveAll(dir))
	}
	return errors.Join(errs...)
}
