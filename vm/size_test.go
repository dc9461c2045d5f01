package vm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/image"
)

func TestSizes(t *testing.T) {
	for _, c := range []struct {
		spec   bench.Spec
		memory int64 // MiB
		cpus   int
	}{
		{bench.Spec{}, 128, 1},
		{bench.Spec{Limits: bench.Limits{Memory: 200<<20 + 5, CPU: 1.5}}, 200, 2},
		{bench.Spec{Limits: bench.Limits{Memory: 64 << 20}, Init: true}, 160, 1},
		{bench.Spec{Limits: bench.Limits{Memory: 8 << 20}, Init: true}, 128, 1},
		{bench.Spec{CPUs: 3}, 128, 3},
		{bench.Spec{CPUs: 3, Limits: bench.Limits{CPUSet: "0-1"}}, 128, 2},
		{bench.Spec{Limits: bench.Limits{CPUSet: "0"}, Settings: map[string]string{"vcpus": "2"}}, 128, 2},
		{bench.Spec{CPUs: 2, Settings: map[string]string{"memory": "auto", "vcpus": "auto"}}, 128, 2},
		{bench.Spec{Limits: bench.Limits{Memory: 8 << 20, CPU: 0.5}, Init: true, Settings: map[string]string{"memory": "1G", "vcpus": "4"}}, 1024, 4},
	} {
		if err := checkSize(c.spec); err != nil {
			t.Errorf("%+v: %v", c.spec, err)
		}
		if m, n := memory(c.spec), cpus(c.spec); m != c.memory<<20 || n != c.cpus {
			t.Errorf("%+v: %d bytes and %d CPUs, want %d MiB and %d", c.spec, m, n, c.memory, c.cpus)
		}
	}
	for set, say := range map[string]string{
		"memory=many": "not a size", "memory=16M": "needs 96 MiB", "vcpus=0": "number", "vcpus=two": "number", "vcpus=1000": "number",
		"vcpus=1": "needs 2", "tbcache=0": "tbcache", "tbcache=4K": "tbcache", "tbcache=x": "tbcache",
	} {
		k, v, _ := strings.Cut(set, "=")
		err := checkSize(bench.Spec{CPUs: 2, Settings: map[string]string{k: v}})
		if !errors.Is(err, bench.ErrNotApplicable) || !strings.Contains(err.Error(), say) {
			t.Errorf("%s: %v, want one that says %q", set, err, say)
		}
	}
	err := checkSize(bench.Spec{Limits: bench.Limits{Memory: 1 << 30}, Settings: map[string]string{"memory": "1G"}})
	if !errors.Is(err, bench.ErrNotApplicable) {
		t.Errorf("two sizes of one RAM: %v", err)
	}
}

// An image that doesn't fit into the guest's RAM is a disk by itself; what was
// asked for stays.
func TestRootAuto(t *testing.T) {
	e := &Env{}
	for _, x := range []struct {
		root, memory string
		size         int64
		want         string
	}{
		{"auto", "auto", 2 << 20, "initramfs"},
		{"auto", "auto", 300 << 20, "ext4"},
		{"auto", "2G", 300 << 20, "initramfs"},
		{"initramfs", "auto", 300 << 20, "initramfs"},
		{"ext4", "auto", 2 << 20, "ext4"},
	} {
		s := bench.Spec{Settings: map[string]string{"root": x.root, "memory": x.memory}, Image: image.Ref{Size: x.size}}
		if got := actual(s).Settings["root"]; got != x.want || s.Settings["root"] != x.root {
			t.Errorf("%+v: %s", x, got)
		}
		prepare, _ := e.Describe(s)
		if said := strings.Contains(strings.Join(prepare, "; "), "too large for the guest's RAM"); said != (x.root == "auto" && x.want == "ext4") {
			t.Errorf("%+v: %q", x, prepare)
		}
	}
}

func TestUnpacks(t *testing.T) {
	if err := unpacks(13<<20, defaultMemory); err != nil {
		t.Errorf("a small image: %v", err)
	}
	err := unpacks(300<<20, defaultMemory)
	if !errors.Is(err, bench.ErrNotApplicable) || !strings.Contains(err.Error(), "memory=948M") {
		t.Fatalf("a large image: %v", err)
	}
	if err := unpacks(300<<20, 948<<20); err != nil {
		t.Errorf("the cure doesn't fix: %v", err)
	}
}

// A guest has the size that was asked for, and QEMU's threads run where they
// may.
func TestSizeOfGuest(t *testing.T) {
	e := open(t)
	var may unix.CPUSet
	if err := unix.SchedGetaffinity(0, &may); err != nil {
		t.Fatal(err)
	}
	last := 0
	for n := range 1024 {
		if may.IsSet(n) {
			last = n
		}
	}
	s := spec(t, e, "/bin/sleep", "1000")
	s.Settings["memory"], s.Settings["vcpus"], s.Settings["tbcache"] = "192M", "2", "64M"
	s.Limits.CPUSet = fmt.Sprint(last)
	got := e.Resolved(s)
	for k, want := range map[string]string{"memory": fmt.Sprint(192 << 20), "vcpus": "2", "acpi": "on", "tb-cache": fmt.Sprint(64 << 20)} {
		if got[k] != want {
			t.Errorf("resolved %s is %q, want %q", k, got[k], want)
		}
	}
	i := start(t, e, s)
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", i.pid))
	if err != nil {
		t.Fatal(err)
	}
	line := strings.ReplaceAll(string(b), "\x00", " ")
	for _, want := range []string{"tb-size=64", "-m 192", "-smp 2"} {
		if !strings.Contains(line, want) {
			t.Errorf("no %s in %s", want, line)
		}
	}
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", i.pid))
	if err != nil || len(threads) < 3 {
		t.Fatalf("threads %q, %v", threads, err)
	}
	for _, f := range threads {
		status, err := os.ReadFile(f)
		if err != nil {
			continue // it has ended
		}
		if !strings.Contains(string(status), fmt.Sprintf("Cpus_allowed_list:\t%d\n", last)) {
			t.Errorf("a thread of QEMU's may run elsewhere than on %d:\n%s", last, status)
		}
	}
}
