// Package cgroup makes the folders through which the kernel limits, counts and
// kills groups of processes.
//
// There are two generations. In v1 each controller (cpu, memory, pids, …) may
// have a hierarchy, a tree of folders, of its own; in v2 there is one tree,
// and a folder's parent says which controllers it has. A machine may mix
// them ("hybrid"): a v2 tree stands beside v1 hierarchies, and holds only the
// controllers that these don't. So where a controller lives is found out for
// each one, from /proc/self/mountinfo, and no path is assumed.
//
// The lab stands in a cgroup itself, its cell, whose limits and those of all
// above it bind what it measures. Its own folders are made below the cell, so
// that the same limits bind them (place.go says what is done where that can't
// be). It tags them, and writes to no other: not even to the root's
// cgroup.subtree_control.
package cgroup

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"lab/bench/input"

	"golang.org/x/sys/unix"
)

// A Layout is where controllers live on this machine, and where in each
// hierarchy this process stands.
type Layout struct {
	V1 map[string]string // controller → its hierarchy's mount point
	V2 string            // mount point of the v2 tree, or ""

	// V2Controllers are those that the lab's folders in the v2 tree can have.
	V2Controllers []string

	// Own is this process's cell: controller → its folder, "" → that of the
	// v2 tree. One that can't be seen from here isn't in it.
	Own map[string]string

	root    string // file tree of the machine, "" for the one that we run on
	systemd bool   // it manages the v2 tree
}

// Read reads this machine's layout.
func Read() (Layout, error) { return ReadIn("") }

// ReadIn reads the layout of the machine whose file tree is at root.
func ReadIn(root string) (Layout, error) {
	l := Layout{root: root}
	fail := func(err error) (Layout, error) {
		return Layout{root: root}, fmt.Errorf("cgroup layout: %w", err)
	}
	mounts, err := input.Kernel(l.path("/proc/self/mountinfo"))
	if err != nil {
		return fail(err)
	}
	self, err := input.Kernel(l.path("/proc/self/cgroup"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // a kernel without cgroups has none
		return fail(err)
	}
	if l, err = Parse(bytes.NewReader(mounts), string(self)); err != nil {
		return fail(err)
	}
	if l.root = root; root == "" {
		l.dropHidden()
		l.search(string(self))
	}
	if l.V2 != "" {
		_, err := os.Stat(l.path("/run/systemd/system")) // sd_booted(3)
		l.systemd = err == nil
		_, l.V2Controllers = l.base(l.systemd)
	}
	return l, nil
}

// path is where a file of the machine's is.
func (l Layout) path(name ...string) string {
	return filepath.Join("/", l.root, filepath.Join(name...))
}

// read returns a file's text without the white space around it, "" where there
// is none.
func (l Layout) read(dir, name string) string {
	b, _ := input.Kernel(l.path(dir, name))
	return strings.TrimSpace(string(b))
}

// dropHidden forgets hierarchies whose mount point is another file system, as
// seen from here: mountinfo also lists mounts that a later one covers, and a
// folder made there would be just a folder.
func (l *Layout) dropHidden() {
	is := func(point string, magic int64) bool {
		var st unix.Statfs_t
		return unix.Statfs(point, &st) == nil && int64(st.Type) == magic
	}
	for c, point := range l.V1 {
		if !is(point, unix.CGROUP_SUPER_MAGIC) {
			delete(l.V1, c)
			delete(l.Own, c)
		}
	}
	if l.V2 != "" && !is(l.V2, unix.CGROUP2_SUPER_MAGIC) {
		l.V2 = ""
		delete(l.Own, "")
	}
}

// Parse reads a layout from mounts in the format of /proc/self/mountinfo
// (proc_pid_mountinfo(5)), and from a process's cgroups in that of
// /proc/self/cgroup (cgroups(7)). Of several mounts of one hierarchy the one
// counts that shows the process's own folder, then one that shows the hierarchy
// whole, then the first.
func Parse(mounts io.Reader, self string) (Layout, error) {
	l := Layout{V1: map[string]string{}, Own: map[string]string{}}
	paths, rank := cells(self), map[string]int{}
	sc := bufio.NewScanner(mounts)
	sc.Buffer(nil, 1<<20)
	for n := 1; sc.Scan(); n++ {
		if sc.Text() == "" {
			continue
		}
		before, after, ok := strings.Cut(sc.Text(), " - ")
		if !ok {
			return l, fmt.Errorf("mountinfo line %d: no separator", n)
		}
		left, right := strings.Fields(before), strings.Fields(after)
		if len(left) < 6 || len(right) < 2 {
			return l, fmt.Errorf("mountinfo line %d: too few fields", n)
		}
		root, point := Unescape(left[3]), Unescape(left[4])
		better := func(c string) bool {
			own, shown := show(root, point, paths[c])
			r := 1
			if root == "/" {
				r++
			}
			if shown {
				r += 2
			}
			if r <= rank[c] {
				return false
			}
			rank[c] = r
			delete(l.Own, c)
			if shown {
				l.Own[c] = own
			}
			return true
		}
		switch {
		case right[0] == "cgroup2":
			if better("") {
				l.V2 = point
			}
		case right[0] == "cgroup" && len(right) > 2:
			for _, c := range strings.Split(right[2], ",") {
				if (controllers[c] || others[c]) && better(c) {
					l.V1[c] = point
				}
			}
		}
	}
	return l, sc.Err()
}

// controllers are those that the lab knows what to do with.
var controllers = map[string]bool{
	"cpu": true, "cpuacct": true, "cpuset": true, "memory": true,
	"pids": true, "blkio": true, "io": true,
}

// others are further hierarchies that v1 may have. Nothing is limited in them, and
// an instance has a folder there only where somebody else's program makes it: see
// Tree.Hierarchies.
var others = map[string]bool{
	"devices": true, "freezer": true, "net_cls": true, "net_prio": true, "perf_event": true,
	"hugetlb": true, "rdma": true, "misc": true, "name=systemd": true,
}

// Unescape undoes the octal escapes for space, tab, newline and backslash in the
// kernel's tables of mounts.
func Unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s // and no table is made for it
	}
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// ErrNoController is returned for a limit whose controller this machine
// doesn't offer.
var ErrNoController = errors.New("no such cgroup controller on this machine")

// Kind is "v1", "v2", "hybrid" or "none".
func (l Layout) Kind() string {
	switch {
	case l.V2 == "" && len(l.V1) == 0:
		return "none"
	case l.V2 == "":
		return "v1"
	case len(l.V1) == 0:
		return "v2"
	}
	return "hybrid"
}

// Where says in which generation a controller can be used: "v1", "v2" or "".
func (l Layout) Where(controller string) string {
	if l.V1[controller] != "" {
		if l.Own[controller] == "" {
			return "" // the lab's own cell can't be seen
		}
		return "v1"
	}
	if slices.Contains(l.V2Controllers, controller) {
		return "v2"
	}
	return ""
}
