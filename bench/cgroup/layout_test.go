package cgroup

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// One case for each machine that somebody has; the files are their
// /proc/self/mountinfo, cut down to what matters.
var layouts = map[string]struct {
	kind string
	v2   string
	v1   map[string]string // of cpu, memory, pids
}{
	"v1": {"v1", "", map[string]string{"cpu": "/sys/fs/cgroup/cpu,cpuacct", "memory": "/sys/fs/cgroup/memory", "pids": "/sys/fs/cgroup/pids"}},
	"v2": {"v2", "/sys/fs/cgroup", nil},
	"hybrid": {"hybrid", "/sys/fs/cgroup/unified",
		map[string]string{"cpu": "/sys/fs/cgroup/cpu", "memory": "/sys/fs/cgroup/memory", "pids": "/sys/fs/cgroup/pids"}},
	"systemd-hybrid": {"hybrid", "/sys/fs/cgroup/unified",
		map[string]string{"cpu": "/sys/fs/cgroup/cpu,cpuacct", "memory": "/sys/fs/cgroup/memory", "pids": "/sys/fs/cgroup/pids"}},
	"wsl2": {"hybrid", "/sys/fs/cgroup/unified",
		map[string]string{"cpu": "/sys/fs/cgroup/cpu", "memory": "/sys/fs/cgroup/memory", "pids": "/sys/fs/cgroup/pids"}},
	"docker-v1": {"v1", "", map[string]string{"cpu": "/sys/fs/cgroup/cpu,cpuacct", "memory": "/sys/fs/cgroup/memory"}},
	"docker-v2": {"v2", "/sys/fs/cgroup", nil},
	"bound":     {"hybrid", "/srv/whole\t\\x", map[string]string{"memory": "/sys/fs/cgroup/memory"}},
	"none":      {"none", "", nil},
}

func TestParse(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.mountinfo")
	if len(files) != len(layouts) {
		t.Errorf("%d files, %d cases", len(files), len(layouts))
	}
	for name, want := range layouts {
		t.Run(name, func(t *testing.T) {
			f, err := os.Open("testdata/" + name + ".mountinfo")
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			self := "0::/a/b\n1:cpu,cpuacct:/a\n2:memory:/\n3:pids:/a b\n9:name=systemd:/x\n"
			switch name {
			case "docker-v1":
				self = "1:cpu,cpuacct:/docker/3f4a5b\n2:memory:/docker/3f4a5b/x\n"
			case "docker-v2":
				self = "0::/\n"
			}
			l, err := Parse(f, self)
			if err != nil {
				t.Fatal(err)
			}
			if l.Kind() != want.kind || l.V2 != want.v2 {
				t.Errorf("%s with v2 at %q, want %s with %q", l.Kind(), l.V2, want.kind, want.v2)
			}
			got := map[string]string{}
			for _, c := range basicControllers {
				if p := l.V1[c]; p != "" {
					got[c] = p
					if l.Where(c) != "v1" {
						t.Errorf("%s is in %q, want v1", c, l.Where(c))
					}
				} else if l.Where(c) != "" {
					t.Errorf("%s is in %q, though nothing said that v2 passes it on", c, l.Where(c))
				}
			}
			if !maps.Equal(got, want.v1) {
				t.Errorf("v1 %v, want %v", got, want.v1)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	for _, text := range []string{"nonsense", "1 2 3 - cgroup2", "1 2 3 4 5 6 - cgroup2"} {
		if l, err := Parse(strings.NewReader("22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"+text), ""); err == nil {
			t.Errorf("%q gives %+v", text, l)
		} else if !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%q: the error doesn't name its line: %v", text, err)
		}
	}
}

// Where both have a controller, v1 has it: a hierarchy that is mounted there
// takes it out of v2.
func TestWhere(t *testing.T) {
	l := Layout{V1: map[string]string{"cpu": "/c", "io": "/b"}, Own: map[string]string{"cpu": "/c/x"}, V2: "/u", V2Controllers: []string{"memory", "hugetlb"}}
	for c, want := range map[string]string{"cpu": "v1", "memory": "v2", "pids": "", "io": ""} {
		if got := l.Where(c); got != want {
			t.Errorf("%s is in %q, want %q", c, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.mountinfo")
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`1 2 0:1 / /a\0401 rw - cgroup x cpu,cpu,,memory` + "\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := Parse(bytes.NewReader(text), "0::/a\n1:cpu:/../b\n2:memory:/\n")
		if err != nil {
			return
		}
		if !slices.Contains([]string{"none", "v1", "v2", "hybrid"}, l.Kind()) {
			t.Errorf("kind %q", l.Kind())
		}
		for c, p := range l.V1 {
			if !controllers[c] && !others[c] || p == "" {
				t.Errorf("controller %q at %q", c, p)
			}
		}
	})
}

func TestFiles(t *testing.T) {
	type row [5]string // controller, v1 file and value, v2 file and value
	for _, x := range []struct {
		lim  Limits
		want []row
	}{
		{Limits{}, nil},
		{Limits{CPU: 0.5}, []row{{"cpu", "cpu.cfs_quota_us", "50000", "cpu.max", "50000 100000"}}},
		{Limits{CPU: 2}, []row{{"cpu", "cpu.cfs_quota_us", "200000", "cpu.max", "200000 100000"}}},
		{Limits{CPU: 0.0001}, []row{{"cpu", "cpu.cfs_quota_us", "1000", "cpu.max", "1000 100000"}}}, // the least that the kernel takes
		{Limits{Memory: 64 << 20}, []row{
			{"memory", "memory.limit_in_bytes", "67108864", "memory.max", "67108864"},
			{"memory", "memory.memsw.limit_in_bytes", "67108864", "memory.swap.max", "0"}}},
		{Limits{Pids: 7}, []row{{"pids", "pids.max", "7", "pids.max", "7"}}},
		{Limits{CPUWeight: 50}, []row{{"cpu", "cpu.shares", "512", "cpu.weight", "50"}}},
		{Limits{CPUWeight: DefaultWeight}, nil}, // what a group has by itself
		{Limits{CPU: -1, Memory: -1, Pids: -1}, nil},
	} {
		var got []row
		for _, f := range x.lim.files() {
			got = append(got, row{f.controller, f.v1, f.v1value, f.v2, f.v2value})
		}
		if !slices.Equal(got, x.want) {
			t.Errorf("%+v:\n%v, want\n%v", x.lim, got, x.want)
		}
	}
	if (Limits{CPUWeight: DefaultWeight}).None() {
		t.Error("the default weight wants no group")
	}
	if (Limits{Pids: 1}).None() || !(Limits{}).None() {
		t.Error("None is wrong")
	}
}
