package cgroup

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Where a tree is made. In v1 that is below the lab's own cell. In v2 a cell
// with processes in it, as the lab's is, passes no controllers on (cgroup-v2.rst,
// "No Internal Process Constraint"), unless it is the very root. So a tree that
// needs some is made
//
//   - under systemd, in a scope of the lab's own that systemd makes and hands
//     over (Delegate=), in the slice that the lab stands in;
//   - elsewhere below the nearest cell above that passes on what is needed.
//
// The limits of the cells that the tree thereby stands beside are copied to its
// folder. One that can't be copied is an error.

// Options say what a tree is for.
type Options struct {
	// Controllers: its groups need those that the machine has. Else they are
	// folders by which processes are found and killed, and what v1 has by itself.
	Controllers bool

	// Move: where the tree isn't below the lab's own cell the lab itself moves
	// into it, and what it starts is bound by the same folder as the groups.
	Move bool

	// Scope asks systemd for a scope with this process in it, in a slice; nil:
	// it isn't asked.
	Scope func(slice, name string) error

	// Single: the tree is for one group, which then is the tree's own folders,
	// where nothing else has to stand in them. There are half as many to make.
	Single bool
}

// wanted are the controllers that v2 may have to provide, because no v1
// hierarchy does.
func (l Layout) wanted() (out []string) {
	for _, c := range []string{"cpu", "memory", "pids", "cpuset", "io"} {
		if l.V1[v1Name(c)] == "" {
			out = append(out, c)
		}
	}
	return out
}

// isRoot says whether a v2 folder is the whole tree's root, which has no type.
func (l Layout) isRoot(dir string) bool {
	_, err := os.Stat(l.path(dir, "cgroup.type"))
	return errors.Is(err, os.ErrNotExist)
}

// base is the v2 folder below which a tree with controllers would be made, and
// the controllers that it can have there; the slice, where systemd shall make it.
func (l Layout) base(systemd bool) (dir string, have []string) {
	dirs := l.chain("")
	passed := func(dir, name string) (out []string) {
		for _, c := range strings.Fields(l.read(dir, name)) {
			if controllers[c] {
				out = append(out, c)
			}
		}
		return out
	}
	if len(dirs) == 0 {
		return "", nil
	}
	top := dirs[len(dirs)-1]
	if systemd && len(dirs) > 1 && l.isRoot(top) {
		return l.slice(), passed(top, "cgroup.controllers")
	}
	dir, best := dirs[0], -1
	want := l.wanted()
	for i, d := range dirs {
		if i == 0 && !l.isRoot(d) {
			continue // it has processes
		}
		have := passed(d, "cgroup.subtree_control")
		n := 0
		for _, c := range basicControllers {
			if slices.Contains(want, c) && slices.Contains(have, c) {
				n++
			}
		}
		if n > best && (n > 0 || i == 0) {
			dir, best = d, n
		}
	}
	if best < 0 {
		return dirs[0], nil
	}
	return dir, passed(dir, "cgroup.subtree_control")
}

// slice is the innermost one above the lab that the system's own systemd has:
// what lies below a service or a scope is somebody else's.
func (l Layout) slice() string {
	dirs := l.chain("")
	at := dirs[len(dirs)-1]
	for _, d := range slices.Backward(dirs[:len(dirs)-1]) {
		if !strings.HasSuffix(d, ".slice") {
			break
		}
		at = d
	}
	return at
}

// NeedsScope says whether a tree with controllers is made in a scope of systemd's.
func (l Layout) NeedsScope() bool {
	base, have := l.base(l.systemd)
	return l.systemd && base != l.Own[""] &&
		slices.ContainsFunc(l.wanted(), func(c string) bool { return slices.Contains(have, c) })
}

// Cure is what makes controllers available that the lab's groups can't have here.
func (l Layout) Cure(missing ...string) string {
	switch _, v1 := l.chainOf(missing[0]); {
	case l.Kind() == "none":
		return "mount -t cgroup2 none /sys/fs/cgroup"
	case v1:
		return "start the lab where its own cgroup can be seen: in Docker with docker run --privileged --cgroupns=host"
	case l.V2 == "" || !strings.Contains(l.read(l.V2, "cgroup.controllers"), missing[0]) && l.isRoot(l.V2):
		return "boot with cgroup_enable=" + strings.Join(missing, ",")
	case !l.isRoot(l.V2):
		return "docker run --privileged --cgroupns=host, or run the lab outside of a container"
	}
	return "start the lab in a cgroup below one that passes them on: under systemd systemctl status must say \"running\"; elsewhere whoever manages this machine's cgroups makes one"
}

// place finds or makes the v2 folder in which the tree's own one is made, and
// says which controllers that can have and which limits are to be copied.
func (l *Layout) place(id string, o Options) (base string, passes []string, copies []Bound, err error) {
	own := l.Own[""]
	ask := l.systemd && o.Scope != nil
	base, passes = l.base(ask)
	needed := slices.ContainsFunc(l.wanted(), func(c string) bool { return slices.Contains(passes, c) })
	if base == own || !o.Controllers || !needed {
		if base != own {
			passes = nil
		}
		return own, passes, nil, nil
	}
	copies = l.between(base)
	if !ask {
		return base, passes, copies, nil
	}
	name := filepath.Base(base)
	if base == l.V2 {
		name = "-.slice"
	}
	if err := o.Scope(name, "lab-"+id+".scope"); err != nil {
		return "", nil, nil, fmt.Errorf("cgroup: systemd makes no scope for the lab: %w; fix: systemctl status must say \"running\"; or leave limits out", err)
	}
	// The job that moves us is done some time after it was asked for.
	scope := "/lab-" + id + ".scope"
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		now, err := Read()
		if err == nil && strings.HasSuffix(now.Own[""], scope) {
			passes = strings.Fields(now.read(now.Own[""], "cgroup.controllers"))
			return now.Own[""], passes, copies, nil
		}
		if time.Now().After(end) {
			return "", nil, nil, errors.New("cgroup: systemd made a scope for the lab and didn't move it there within 5 s; fix: systemctl list-jobs shows what it waits for")
		}
	}
}

// copyTo writes limits to a folder.
func copyTo(dir string, limits []Bound) error {
	for _, b := range limits {
		// A file of lines takes one at a time.
		for line := range strings.SplitSeq(b.raw, "\n") {
			if err := write(dir, b.name, line); err != nil {
				return fmt.Errorf("the limit %s of %s binds the lab and can't be copied to its cgroups: %w", b.name, b.Dir, err)
			}
		}
	}
	return nil
}

// home is the folder of a tree in which the lab itself stands, where it has moved.
const home = "home"

// move takes this process, with all of its threads, into a folder of the tree's,
// and lets a scope's own folder pass controllers on once it is empty.
func (t *Tree) move(base string) error {
	dir := filepath.Join(t.v2, home)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return fmt.Errorf("cgroup: %w", err)
	}
	if err := write(dir, "cgroup.procs", "0"); err != nil {
		return err
	}
	t.back = t.layout.Own[""]
	if !strings.HasSuffix(base, ".scope") || filepath.Base(base) != "lab-"+t.id+".scope" {
		return nil
	}
	// The folder is ours: systemd has handed it over.
	var on []string
	for _, c := range t.passes {
		if controllers[c] {
			on = append(on, "+"+c)
		}
	}
	return write(base, "cgroup.subtree_control", strings.Join(on, " "))
}

// moveBack is the way out, before the tree is removed.
func (t *Tree) moveBack() error {
	if t.back == "" {
		return nil
	}
	err := write(t.back, "cgroup.procs", "0")
	if err == nil {
		t.back = ""
	}
	return err
}

// Copied are the limits that bind the lab from outside of the tree's own place,
// and stand at the tree's folder, too.
func (t *Tree) Copied() []Bound { return t.copied }

// Cure is the layout's.
func (t *Tree) Cure(controller string) string { return t.layout.Cure(controller) }

// Place says in words where the tree is.
func (t *Tree) Place() string {
	switch own := t.layout.Own[""]; {
	case strings.HasSuffix(filepath.Dir(t.v2), ".scope") && len(t.passes) > 0:
		return "in a scope that systemd made for it"
	case t.v2 != "" && filepath.Dir(t.v2) != own:
		return "below the cgroup " + cmp.Or(strings.TrimPrefix(filepath.Dir(t.v2), t.layout.V2), "/")
	}
	return "below the lab's own cgroup"
}
