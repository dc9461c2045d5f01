package cgroup

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"lab/bench/input"

	"golang.org/x/sys/unix"
)

// cells reads the text of a /proc/PID/cgroup: the process's path in each
// controller's hierarchy, "" being v2's.
func cells(text string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(text) {
		// 4:memory:/user.slice, 0::/user.slice
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(f) < 3 {
			continue
		}
		for c := range strings.SplitSeq(f[1], ",") {
			if controllers[c] || others[c] || f[0] == "0" {
				out[c] = f[2]
			}
		}
	}
	return out
}

// show is where a mount at point, of the folder root of a hierarchy, shows the
// hierarchy's folder path. In a cgroup namespace both begin at its root, and what
// is outside of it begins with "/.." (cgroup_namespaces(7)): from such a path
// nobody can tell where it leads.
func show(root, point, path string) (dir string, ok bool) {
	if path == "" || strings.HasPrefix(path, "/..") || strings.HasPrefix(root, "/..") {
		return "", false
	}
	rest := strings.TrimPrefix(path, strings.TrimSuffix(root, "/"))
	if !strings.HasPrefix(path, root) || rest != "" && rest[0] != '/' {
		return "", false
	}
	return filepath.Join(point, rest), true
}

// search finds the cells that the paths didn't tell, by the process itself: its
// number stands in its folder. That is so in a cgroup namespace that still has
// its maker's mounts.
func (l *Layout) search(self string) {
	me := strconv.Itoa(os.Getpid())
	for c, path := range cells(self) {
		point := l.V1[c]
		if c == "" {
			point = l.V2
		}
		if point == "" || l.Own[c] != "" || strings.HasPrefix(path, "/..") {
			continue
		}
		walk(point, func(dir string) bool {
			b, _ := input.Kernel(filepath.Join(dir, "cgroup.procs"))
			if slices.Contains(strings.Fields(string(b)), me) {
				l.Own[c] = dir
			}
			return l.Own[c] == ""
		})
	}
}

// chain lists a controller's folders from this process's own up to the top one
// that can be seen; none where its own can't.
func (l Layout) chain(controller string) (dirs []string) {
	dir, top := l.Own[controller], l.V1[controller]
	if controller == "" {
		top = l.V2
	}
	if dir == "" || top == "" {
		return nil
	}
	for ; ; dir = filepath.Dir(dir) {
		dirs = append(dirs, dir)
		if dir == top || len(dir) <= len(top) {
			return dirs
		}
	}
}

// chainOf is the chain in which a controller's limits are: its v1 hierarchy's, or
// the v2 tree's.
func (l Layout) chainOf(controller string) (dirs []string, v1 bool) {
	if c := v1Name(controller); l.V1[c] != "" {
		return l.chain(c), true
	}
	return l.chain(""), false
}

// most is how many folders a walk looks at: more than any machine was seen to
// have, and done in a second.
const most = 100_000

// walk calls do for a folder and those below it, until it returns false.
func walk(dir string, do func(dir string) bool) {
	seen := 0
	for queue := []string{dir}; len(queue) > 0; queue = queue[1:] {
		if seen++; seen > most || !do(queue[0]) {
			return
		}
		// A cgroup without children is told by its number of links alone,
		// without reading the names of all of its files.
		var st unix.Stat_t
		if unix.Lstat(queue[0], &st) != nil || st.Nlink == 2 {
			continue
		}
		entries, _ := os.ReadDir(queue[0])
		for _, e := range entries {
			if e.IsDir() {
				queue = append(queue, filepath.Join(queue[0], e.Name()))
			}
		}
	}
}
