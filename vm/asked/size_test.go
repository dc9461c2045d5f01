package asked

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"lab/bench"
	"lab/bench/image"
	"lab/bench/testbed"
	"lab/vm/disk"
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
		if err := CheckSize(c.spec); err != nil {
			t.Errorf("%+v: %v", c.spec, err)
		}
		if m, n := Memory(c.spec), CPUs(c.spec); m != c.memory<<20 || n != c.cpus {
			t.Errorf("%+v: %d bytes and %d CPUs, want %d MiB and %d", c.spec, m, n, c.memory, c.cpus)
		}
	}
	for set, say := range map[string]string{
		"memory=many": "not a size", "memory=16M": "needs 96 MiB", "vcpus=0": "number", "vcpus=two": "number", "vcpus=1000": "number",
		"vcpus=1": "needs 2", "tbcache=0": "tbcache", "tbcache=4K": "tbcache", "tbcache=x": "tbcache",
	} {
		k, v, _ := strings.Cut(set, "=")
		err := CheckSize(bench.Spec{CPUs: 2, Settings: map[string]string{k: v}})
		if !errors.Is(err, bench.ErrNotApplicable) || !strings.Contains(err.Error(), say) {
			t.Errorf("%s: %v, want one that says %q", set, err, say)
		}
	}
	err := CheckSize(bench.Spec{Limits: bench.Limits{Memory: 1 << 30}, Settings: map[string]string{"memory": "1G"}})
	if !errors.Is(err, bench.ErrNotApplicable) {
		t.Errorf("two sizes of one RAM: %v", err)
	}
}

// An image that doesn't fit into the guest's RAM is a disk by itself; what was
// asked for stays.
func TestRootAuto(t *testing.T) {
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
		if got := Actual(s).Settings["root"]; got != x.want || s.Settings["root"] != x.root {
			t.Errorf("%+v: %s", x, got)
		}
		prepare, _ := Describe(s)
		if said := strings.Contains(strings.Join(prepare, "; "), "too large for the guest's RAM"); said != (x.root == "auto" && x.want == "ext4") {
			t.Errorf("%+v: %q", x, prepare)
		}
	}
}

func TestUnpacks(t *testing.T) {
	if err := Unpacks(13<<20, defaultMemory); err != nil {
		t.Errorf("a small image: %v", err)
	}
	err := Unpacks(300<<20, defaultMemory)
	if !errors.Is(err, bench.ErrNotApplicable) || !strings.Contains(err.Error(), "memory=948M") {
		t.Fatalf("a large image: %v", err)
	}
	if err := Unpacks(300<<20, 948<<20); err != nil {
		t.Errorf("the cure doesn't fix: %v", err)
	}
}

func TestCheckData(t *testing.T) {
	dir := t.TempDir()
	tb := &testbed.Testbed{Cache: dir}
	for _, c := range []struct {
		set  string
		want error
		say  string
	}{
		{"disk=none disk-size=x", nil, ""},
		{"disk=virtio disk-size=64M cache=writeback io=threads", nil, ""},
		{"disk=virtio disk-size=big", bench.ErrNotApplicable, "not a size"},
		{"disk=virtio disk-size=4K", bench.ErrNotApplicable, "too small"},
		{"disk=ide disk-size=64M machine=q35", bench.ErrNotApplicable, "no IDE"},
		{"disk=virtio disk-size=64M cache=writeback io=native", bench.ErrNotApplicable, "io=native"},
		{"disk=virtio disk-size=900T cache=writeback io=threads", bench.ErrUnavailable, "MiB left"},
	} {
		set := make(map[string]string)
		for _, w := range strings.Fields(c.set) {
			k, v, _ := strings.Cut(w, "=")
			set[k] = v
		}
		err := CheckDisk(bench.Spec{Settings: set}, tb)
		if !errors.Is(err, c.want) || err != nil && !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: %v, want %v that says %q", c.set, err, c.want, c.say)
		}
	}
	// More than there is, after all: nothing is left of it.
	if _, err := disk.NewData(context.Background(), dir, 1<<60); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("a disk of an exbibyte: %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
