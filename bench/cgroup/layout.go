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
// The lab creates folders of its own, tags them, and writes to no other: not
// even to the root's cgroup.subtree_control. What the root doesn't pass on, the
// lab hasn't got, and says so.
package cgroup

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// A Layout is where controllers live on this machine.
type Layout struct {
	V1 map[string]string // controller → its hierarchy's mount point
	V2 string            // mount point of the v2 tree, or ""

	// V2Controllers are those that the v2 tree's root passes on to folders
	// made below it.
	V2Controllers []string
}

// Read reads this machine's layout.
func Read() (Layout, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return Layout{}, fmt.Errorf("cgroup layout: %w", err)
	}
	defer f.Close()
	l, err := Parse(f)
	if err != nil {
		return l, err
	}
	l.dropHidden()
	if l.V2 != "" {
		// What the root's folders may use; absent where the tree has none.
		b, err := os.ReadFile(filepath.Join(l.V2, "cgroup.subtree_control"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return l, fmt.Errorf("cgroup layout: %w", err)
		}
		l.V2Controllers = strings.Fields(string(b))
	}
	return l, nil
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
		}
	}
	if l.V2 != "" && !is(l.V2, unix.CGROUP2_SUPER_MAGIC) {
		l.V2 = ""
	}
}

// Parse reads the mounts of a layout from text in the format of
// /proc/self/mountinfo (proc_pid_mountinfo(5)). Of two mounts of one hierarchy
// the one counts that shows it whole, and else the first: inside of another
// container that is the part which was left to us.
func Parse(r io.Reader) (Layout, error) {
	l := Layout{V1: map[string]string{}}
	whole := map[string]bool{} // controller; "" for v2
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, 1<<20)
	for n := 1; sc.Scan(); n++ {
		before, after, ok := strings.Cut(sc.Text(), " - ")
		if !ok {
			return l, fmt.Errorf("cgroup layout: mountinfo line %d: no separator", n)
		}
		left, right := strings.Fields(before), strings.Fields(after)
		if len(left) < 6 || len(right) < 2 {
			return l, fmt.Errorf("cgroup layout: mountinfo line %d: too few fields", n)
		}
		kind, all, point := right[0], left[3] == "/", Unescape(left[4])
		better := func(c, have string) bool {
			take := have == "" || all && !whole[c]
			whole[c] = whole[c] || take && all
			return take
		}
		switch {
		case kind == "cgroup2":
			if better("", l.V2) {
				l.V2 = point
			}
		case kind == "cgroup" && len(right) > 2:
			for _, c := range strings.Split(right[2], ",") {
				if controllers[c] && better(c, l.V1[c]) {
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
		return "v1"
	}
	if slices.Contains(l.V2Controllers, controller) {
		return "v2"
	}
	return ""
}
