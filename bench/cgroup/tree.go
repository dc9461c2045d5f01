package cgroup

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"lab/bench/input"

	"golang.org/x/sys/unix"
)

// basicControllers are the controllers that an instance's group has, where there are any,
// as the well-known engines give one to each container. Others are added to a
// tree when the first limit needs them: each costs a folder at every start.
var basicControllers = []string{"cpu", "memory", "pids"}

// A Tree is one testbed's subtree: a tagged folder in each hierarchy that is
// used, in which every instance gets a folder.
type Tree struct {
	layout Layout
	dirs   map[string]string // controller → our folder in its v1 hierarchy
	v2     string            // our folder in the v2 tree, or ""
	passes []string          // controllers that our v2 folder has
	on     []string          // those that it passes on to groups
	copied []Bound           // what was written to it of the lab's own limits
	single bool              // it is its one group
	back   string            // the v2 folder that this process was in before it moved, or ""
	id     string
	locks  []*os.File // held as long as the tree is ours
	count  atomic.Int64
	before func(dir string) error

	mu sync.Mutex // guards dirs, while controllers are added
}

// Name is what the folders of a testbed's tree are called.
func Name(id string) string { return "lab-" + id }

// Create makes the tree of testbed id: a folder in each hierarchy, tagged before
// anything is put into it. Half a tree is removed again when it fails. before is
// called with each folder that is about to be made.
func (l Layout) Create(id string, o Options, before func(dir string) error) (_ *Tree, err error) {
	t := &Tree{layout: l, id: id, dirs: map[string]string{}, before: before, single: o.Single}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.Remove())
		}
	}()
	if l.Own[""] != "" {
		base, passes, copies, err := l.place(id, o)
		if err != nil {
			return nil, err
		}
		v2 := filepath.Join(base, Name(id))
		if err := t.create(v2); err != nil {
			return nil, err
		}
		t.v2, t.passes, t.copied = v2, passes, copies
		scope := base != l.Own[""] && filepath.Base(base) == Name(id)+".scope"
		if len(copies) > 0 || scope || o.Move {
			t.single = false
		}
		if base != l.Own[""] && (o.Move || scope) {
			if err := t.move(base); err != nil {
				return nil, err
			}
		}
		if err := copyTo(v2, copies); err != nil {
			return nil, err
		}
	}
	for _, c := range basicControllers {
		if err := t.add(c); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// add gives the tree a controller, where this machine has it.
func (t *Tree) add(c string) error {
	if t.dirs[c] != "" || slices.Contains(t.on, c) {
		return nil
	}
	if own := t.layout.Own[v1Name(c)]; own != "" {
		dir := filepath.Join(own, Name(t.id))
		if !slices.Contains(folders(t.dirs, ""), dir) { // controllers may share a hierarchy
			// What exists is another's, and isn't removed with half a tree.
			if err := t.create(dir); err != nil {
				return err
			}
		}
		t.dirs[c] = dir
		if c == "cpuset" {
			return inherit(dir)
		}
		return nil
	}
	if t.v2 != "" && slices.Contains(t.passes, c) {
		// Our own folder's: it passes the controller on to instances.
		if !t.single {
			if err := write(t.v2, "cgroup.subtree_control", "+"+c); err != nil {
				return err
			}
		}
		t.on = append(t.on, c)
	}
	return nil
}

// join adds the controllers that lim needs and those of more, and returns the tree's
// v1 folders by controller, and all folders in which such a group has one.
func (t *Tree) join(lim Limits, more []string) (dirs map[string]string, roots []string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	want := slices.Concat(basicControllers, lim.needs(), more)
	for _, c := range want {
		if err := t.add(c); err != nil {
			return nil, nil, err
		}
	}
	dirs = map[string]string{}
	for _, c := range want {
		if d := t.dirs[c]; d != "" {
			dirs[c] = d
		}
	}
	return dirs, folders(dirs, t.v2), nil
}

// Hierarchies names all that v1 has on this machine. A program that makes cgroups
// of its own makes one in each, so that a group for it has to be in all of them.
func (t *Tree) Hierarchies() []string { return slices.Sorted(maps.Keys(t.layout.V1)) }

// Show makes the tree's folders the tops of all hierarchies, as [Group.Show] does with a
// group's: for a program that makes cgroups below several groups.
func (t *Tree) Show() error {
	if _, _, err := t.join(Limits{}, t.Hierarchies()); err != nil {
		return err
	}
	g := &Group{tree: t, v1: folders(t.dirs, ""), v2: t.v2}
	return g.Show()
}

// inherit gives a v1 cpuset folder its parent's CPUs and memory nodes: it
// begins with none, and takes no process until it has some (cpusets.rst).
func inherit(dir string) error {
	for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
		b, err := input.Kernel(filepath.Join(filepath.Dir(dir), name))
		if err != nil {
			return fmt.Errorf("cgroup: %w", err)
		}
		if err := write(dir, name, strings.TrimSpace(string(b))); err != nil {
			return err
		}
	}
	return nil
}

// create makes a folder of the tree, locks it, and tags it last: what bears the
// tag and isn't locked has no owner. The lock is on the folder itself, and not
// on a file in /run, since several systems may share the cgroup hierarchies and
// nothing else.
func (t *Tree) create(dir string) error {
	if t.before != nil {
		if err := t.before(dir); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return fmt.Errorf("cgroup: %w", err)
	}
	f, err := lock(dir)
	if err == nil {
		t.locks = append(t.locks, f)
		err = unix.Setxattr(dir, Tag, []byte(t.id), 0)
	}
	if err != nil {
		return fmt.Errorf("cgroup: tag %s: %w", dir, errors.Join(err, os.Remove(dir)))
	}
	return nil
}

// Has says whether a controller can be used in the tree.
func (t *Tree) Has(controller string) bool {
	return t.layout.Own[v1Name(controller)] != "" || t.v2 != "" && slices.Contains(t.passes, controller)
}

// Lacks returns the first controller that lim needs and the tree hasn't, or "".
func (t *Tree) Lacks(lim Limits) string {
	for _, c := range lim.needs() {
		if !t.Has(c) {
			return c
		}
	}
	return ""
}

// Remove removes the tree with all that is in it, killing processes that are
// left. What is gone already is no error.
func (t *Tree) Remove() error {
	dirs := t.Dirs()
	// Who stays inside would be killed as one who was left. Where there is no way
	// back, as when a session has ended, the folder goes with its scope, or is swept.
	if t.moveBack() != nil {
		dirs, _ = filepath.Glob(filepath.Join(t.v2, "[0-9]*"))
		dirs = append(dirs, folders(t.dirs, "")...)
	}
	var errs []error
	for _, dir := range dirs {
		errs = append(errs, RemoveAll(dir))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range t.locks {
		f.Close()
	}
	t.locks = nil
	return errors.Join(errs...)
}

// Dirs are the tree's folders, each once.
func (t *Tree) Dirs() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return folders(t.dirs, t.v2)
}

// folders lists v1 folders, each once, as controllers may share one, and the v2
// folder, where there is one.
func folders(dirs map[string]string, v2 string) []string {
	var out []string
	for _, c := range slices.Sorted(maps.Keys(dirs)) {
		if d := dirs[c]; !slices.Contains(out, d) {
			out = append(out, d)
		}
	}
	if v2 != "" {
		out = append(out, v2)
	}
	return out
}

func write(dir, name, value string) error {
	fd, err := unix.Open(filepath.Join(dir, name), unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cgroup: open %s/%s: %w", dir, name, err)
	}
	defer unix.Close(fd)
	if _, err := unix.Write(fd, []byte(value)); err != nil {
		return fmt.Errorf("cgroup: write %q to %s/%s: %w", value, dir, name, err)
	}
	return nil
}
