package benchtest

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"lab/bench/cgroup"
	"lab/bench/proc"
	"lab/bench/testbed"
)

// A snapshot is what exists in the testbed: for each kind of object the names
// of all that there are. Two snapshots differ in what was made or was left.
type snapshot map[string][]string

// kinds are those that an instance may be made of. Descriptors and files of
// the testbed's folder aren't among them: Prepare may keep some for later.
var kinds = []string{"mount", "cgroup", "link", "process", "namespace"}

// takeSnapshot takes a snapshot. more adds an environment's own kinds, such as domains.
func takeSnapshot(t testing.TB, tb *testbed.Testbed, more func() (map[string][]string, error)) snapshot {
	t.Helper()
	s := snapshot{}
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		s.add("mount", strings.TrimSpace(line))
	}
	layout, err := cgroup.Read()
	if err != nil {
		t.Fatal(err)
	}
	for _, root := range layout.Owners()[tb.ID] {
		filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				s.add("cgroup", name)
			}
			return nil
		})
	}
	links, err := netlink.LinkList()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		s.add("link", l.Attrs().Name)
	}
	s.processes(t)
	s.descriptors(t)
	filepath.WalkDir(tb.Dir, func(name string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(tb.Dir, name)
		if rel == "logs" || rel == "image" { // kept logs; the suite's own image
			return fs.SkipDir
		}
		if err == nil {
			s.add("file", rel)
		}
		return nil
	})
	if more != nil {
		objects, err := more()
		if err != nil {
			t.Fatal(err)
		}
		for kind, names := range objects {
			s[kind] = append(s[kind], names...)
		}
	}
	return s
}

func (s snapshot) add(kind, name string) { s[kind] = append(s[kind], name) }

// processes are those of the testbed's PID namespace, zombies included.
func (s snapshot) processes(t testing.TB) {
	for _, pid := range proc.PIDs() {
		p, ok := proc.Read(pid)
		if !ok {
			continue // it ended meanwhile
		}
		state := ""
		if p.State == 'Z' {
			state = " Z"
		}
		s.add("process", fmt.Sprintf("%d (%s)%s", pid, p.Name, state))
	}
}

// descriptors are this process's. Those that are open on a namespace hold it,
// so they count as one.
func (s snapshot) descriptors(t testing.TB) {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		to, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err != nil {
			continue // the one that ReadDir used
		}
		if kind, _, ok := strings.Cut(to, ":["); ok && kind != "pipe" && kind != "socket" && kind != "anon_inode" {
			s.add("namespace", to)
		}
		s.add("descriptor", e.Name()+" → "+to)
	}
}

// since lists what is in s and wasn't in old, and what was and isn't any more.
func (s snapshot) since(old snapshot, kinds ...string) (out []string) {
	for _, k := range kinds {
		for _, name := range s[k] {
			if !slices.Contains(old[k], name) {
				out = append(out, fmt.Sprintf("new %s: %s", k, name))
			}
		}
		for _, name := range old[k] {
			if !slices.Contains(s[k], name) {
				out = append(out, fmt.Sprintf("missing %s: %s", k, name))
			}
		}
	}
	return out
}

// threads is how many this process has.
func threads(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
