package cgroup

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fake makes a machine's file tree, and reads its layout.
func fake(t *testing.T, files map[string]string) Layout {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	l, err := ReadIn(root)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

const (
	v2Mount = "30 20 0:25 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw"
	v1Mount = "31 20 0:31 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n32 20 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory"
	session = "/sys/fs/cgroup/user.slice/user-7.slice/session-3.scope/"
)

// systemd is a Debian with systemd, on which somebody's session is limited.
func systemd() map[string]string {
	return map[string]string{
		"/proc/self/mountinfo": v2Mount, "/proc/self/cgroup": "0::/user.slice/user-7.slice/session-3.scope",
		"/run/systemd/system/x":                              "",
		"/sys/devices/system/cpu/online":                     "0-3",
		"/sys/fs/cgroup/cgroup.controllers":                  "cpuset cpu io memory hugetlb pids rdma misc",
		"/sys/fs/cgroup/cgroup.subtree_control":              "memory pids",
		"/sys/fs/cgroup/user.slice/cgroup.type":              "domain",
		"/sys/fs/cgroup/user.slice/cgroup.subtree_control":   "memory pids",
		"/sys/fs/cgroup/user.slice/cpu.max":                  "150000 100000",
		"/sys/fs/cgroup/user.slice/user-7.slice/cgroup.type": "domain", "/sys/fs/cgroup/user.slice/user-7.slice/cgroup.subtree_control": "memory pids",
		"/sys/fs/cgroup/user.slice/user-7.slice/memory.max": "4294967296", "/sys/fs/cgroup/user.slice/user-7.slice/memory.current": "1048576",
		session + "cgroup.type": "domain", session + "memory.max": "1073741824", session + "memory.current": "1000000000",
		session + "memory.stat": "anon 1\ninactive_file 900000000", session + "memory.high": "max", session + "memory.events": "low 0\nhigh 0\nmax 3", session + "memory.events.local": "max 1",
		session + "pids.max": "max", session + "cpu.max": "20000 100000", session + "cpu.stat.local": "throttled_usec 5", session + "cpu.stat": "usage_usec 1\nnr_periods 2\nnr_throttled 1",
		session + "cpu.weight": "100", session + "io.max": "8:0 rbps=1048576 wbps=9 riops=max wiops=max\n8:16 rbps=max wbps=5 riops=max wiops=max",
	}
}

// Where a tree with controllers would be made, and with which.
func TestBase(t *testing.T) {
	for name, x := range map[string]struct {
		files map[string]string
		base  string
		have  []string
		scope bool
	}{
		"systemd": {systemd(), "/sys/fs/cgroup/user.slice/user-7.slice", []string{"cpuset", "cpu", "io", "memory", "pids"}, true},
		"a user manager's, below which nothing is the system's": {func() map[string]string {
			m := systemd()
			m["/proc/self/cgroup"] = "0::/user.slice/user-7.slice/user@7.service/app.slice/x.scope"
			return m
		}(), "/sys/fs/cgroup/user.slice/user-7.slice", []string{"cpuset", "cpu", "io", "memory", "pids"}, true},
		"the same without systemd": {func() map[string]string {
			m := systemd()
			delete(m, "/run/systemd/system/x")
			return m
		}(), "/sys/fs/cgroup/user.slice/user-7.slice", []string{"memory", "pids"}, false},
		"above a slice that passes nothing on": {func() map[string]string {
			m := systemd()
			delete(m, "/run/systemd/system/x")
			m["/sys/fs/cgroup/user.slice/user-7.slice/cgroup.subtree_control"] = ""
			m["/sys/fs/cgroup/user.slice/cgroup.subtree_control"] = "cpu memory pids"
			return m
		}(), "/sys/fs/cgroup/user.slice", []string{"cpu", "memory", "pids"}, false},
		"the root, which may have processes": {map[string]string{
			"/proc/self/mountinfo": v2Mount, "/proc/self/cgroup": "0::/",
			"/sys/fs/cgroup/cgroup.subtree_control": "cpu memory"}, "/sys/fs/cgroup", []string{"cpu", "memory"}, false},
		"a container's root, which may not": {map[string]string{
			"/proc/self/mountinfo": v2Mount, "/proc/self/cgroup": "0::/",
			"/sys/fs/cgroup/cgroup.type": "domain", "/sys/fs/cgroup/cgroup.controllers": "cpu memory",
			"/sys/fs/cgroup/cgroup.subtree_control": ""}, "/sys/fs/cgroup", nil, false},
		"hybrid: v1 has them all": {map[string]string{
			"/proc/self/mountinfo": v1Mount + "\n33 20 0:33 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n34 20 0:34 / /sys/fs/cgroup/unified rw - cgroup2 x rw",
			"/proc/self/cgroup":    "1:cpu:/q\n2:memory:/\n3:pids:/\n0::/s", "/sys/fs/cgroup/unified/s/cgroup.type": "domain"},
			"/sys/fs/cgroup/unified/s", nil, false},
	} {
		l := fake(t, x.files)
		base, have := l.base(l.systemd)
		if base != x.base || !slices.Equal(have, x.have) {
			t.Errorf("%s: below %s with %v, want %s with %v", name, base, have, x.base, x.have)
		}
		if l.NeedsScope() != x.scope {
			t.Errorf("%s: needs a scope: %v", name, l.NeedsScope())
		}
	}
}

// Where the process stands, as each kind of mount shows it.
func TestShow(t *testing.T) {
	for _, x := range [][4]string{ // root, point, path, the folder or ""
		{"/", "/c", "/", "/c"},
		{"/", "/c", "/a/b", "/c/a/b"},
		{"/docker/1", "/c", "/docker/1", "/c"},
		{"/docker/1", "/c", "/docker/1/x", "/c/x"},
		{"/docker/1", "/c", "/docker/12", ""}, // another's
		{"/docker/1", "/c", "/", ""},
		{"/", "/c", "/../a", ""}, // moved out of its cgroup namespace
		{"/../..", "/c", "/", ""},
		{"/", "/c", "", ""},
	} {
		if got, ok := show(x[0], x[1], x[2]); got != x[3] || ok != (x[3] != "") {
			t.Errorf("show(%q, %q, %q) is %q, %v", x[0], x[1], x[2], got, ok)
		}
	}
	own, err := Parse(strings.NewReader(v1Mount), "4:cpu:/q\n5:memory:/../m\n")
	if err != nil || !maps.Equal(own.Own, map[string]string{"cpu": "/sys/fs/cgroup/cpu/q"}) {
		t.Errorf("%v, %v", own.Own, err)
	}
}

func words(bounds []Bound) (out []string) {
	for _, b := range bounds {
		out = append(out, strings.Repeat("^", b.Above)+b.What+" "+b.Text)
	}
	return out
}

// The limits of all cells, and what is left of them.
func TestBounds(t *testing.T) {
	l := fake(t, systemd())
	want := []string{"cpu 20 % of a processor", "^^cpu 150 % of a processor", "memory 1024 MiB", "^memory 4096 MiB",
		"io 8:0 rbps=1048576 wbps=9 riops=max wiops=max; 8:16 rbps=max wbps=5 riops=max wiops=max"}
	if got := words(l.Bounds()); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if n := l.Processors(); n != 0.2 {
		t.Errorf("%v processors, want 0.2", n)
	}
	left, by, ok := l.Left("memory") // the file's pages are as good as free
	if want := int64(1073741824 - 1000000000 + 900000000); !ok || left != want || by.Above != 0 {
		t.Errorf("%d bytes left by %+v, %v; want %d", left, by, ok, want)
	}
	if left, _, ok := l.Left("pids"); ok {
		t.Errorf("%d processes left, where nothing limits them", left)
	}
	var counters []string
	for _, c := range l.Counters() {
		counters = append(counters, c.What+" "+filepath.Base(c.File)+" "+c.Row)
	}
	if want := []string{"cpu cpu.stat nr_throttled ", "memory memory.events.local max "}; !slices.Equal(counters, want) {
		t.Errorf("counters %q, want %q", counters, want)
	}
}

func TestBoundsV1(t *testing.T) {
	l := fake(t, map[string]string{
		"/proc/self/mountinfo": v1Mount, "/proc/self/cgroup": "4:cpu:/q\n5:memory:/a/b\n",
		"/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1", "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000", "/sys/fs/cgroup/cpu/cpu.shares": "1024",
		"/sys/fs/cgroup/cpu/q/cpu.cfs_quota_us": "25000", "/sys/fs/cgroup/cpu/q/cpu.cfs_period_us": "50000", "/sys/fs/cgroup/cpu/q/cpu.shares": "512",
		"/sys/fs/cgroup/memory/memory.limit_in_bytes":         "9223372036854771712",
		"/sys/fs/cgroup/memory/a/memory.limit_in_bytes":       "100663296",
		"/sys/fs/cgroup/memory/a/memory.usage_in_bytes":       "33554432",
		"/sys/fs/cgroup/memory/a/memory.failcnt":              "4",
		"/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes":     "9223372036854771712",
		"/sys/fs/cgroup/memory/a/b/memory.usage_in_bytes":     "33554432",
		"/sys/fs/cgroup/memory/a/memory.stat":                 "inactive_file 1\ntotal_inactive_file 1048576",
		"/sys/fs/cgroup/memory/a/memory.memsw.limit_in_bytes": "9223372036854771712",
	})
	if got, want := words(l.Bounds()), []string{"cpu 50 % of a processor", "cpu-weight 50", "^memory 96 MiB"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if left, _, ok := l.Left("memory"); !ok || left != 96<<20-32<<20+1<<20 {
		t.Errorf("%d bytes left, %v", left, ok)
	}
}

// What a tree is told that stands elsewhere than the lab: the strictest of each
// kind, and no limit of the base's own or above.
func TestBetween(t *testing.T) {
	m := systemd()
	delete(m, "/run/systemd/system/x")
	m["/proc/self/cgroup"] += "/deep"
	deep := session + "deep/"
	maps.Copy(m, map[string]string{deep + "cgroup.type": "domain", deep + "cpu.max": "50000 100000", deep + "memory.max": "5000000",
		deep + "pids.max": "max", deep + "cpuset.cpus": "1", deep + "cpuset.cpus.effective": "1", deep + "io.max": "8:0 rbps=7 wbps=10"})
	l := fake(t, m)
	base, _ := l.base(false)
	got := map[string]string{}
	for _, b := range l.between(base) {
		got[b.name] = b.raw
	}
	want := map[string]string{"cpu.max": "20000 100000", "memory.max": "5000000", "cpuset.cpus": "1",
		"io.max": "8:0 rbps=7 riops=max wbps=9 wiops=max\n8:16 rbps=max riops=max wbps=5 wiops=max"}
	if !maps.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	to := l.path("/sys/fs/cgroup/copy")
	os.Mkdir(to, 0o755)
	if err := copyTo(to, l.between(base)); err == nil || !strings.Contains(err.Error(), "the limit cpu.max of ") {
		t.Errorf("a limit whose file isn't there: %v", err)
	}
	for name := range want {
		os.WriteFile(filepath.Join(to, name), nil, 0o644)
	}
	if err := copyTo(to, l.between(base)); err != nil {
		t.Error(err)
	}
	for name, text := range want {
		if b, _ := os.ReadFile(filepath.Join(to, name)); name != "io.max" && string(b) != text {
			t.Errorf("%s is %q, want %q", name, b, text)
		}
	}
}
