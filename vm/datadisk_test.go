package vm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lab/bench"
	"lab/bench/testbed"
	"lab/vm/disk"
)

// A guest has a disk of its own, of the kind that was asked for, which is empty,
// takes what is written, and leaves nothing on the host.
func TestDataDisk(t *testing.T) {
	e := open(t)
	script := `
		awk '$2 == "/data" { print $1, $3 }' /proc/mounts
		ls -A /data
		dd if=/dev/zero of=/data/x bs=1M count=8 conv=fsync 2>/dev/null && stat -c %s /data/x
		cut -d' ' -f1 /proc/modules | grep -cE '^(virtio_blk|ata_piix)$'`
	for _, c := range []struct{ set, dev string }{
		{"disk=virtio machine=q35 cache=none io=native", "vda"},
		{"disk=virtio machine=pc cache=writeback io=threads", "vda"},
		{"disk=ide machine=pc cache=none io=threads", "sda"},
		{"disk=virtio machine=q35 cache=unsafe io=threads root=ext4", "vdb"},
	} {
		t.Run(c.set, func(t *testing.T) {
			set := []string{"disk-size", "64M"}
			for _, w := range strings.Fields(c.set) {
				k, v, _ := strings.Cut(w, "=")
				set = append(set, k, v)
			}
			before := unnamedFiles(t)
			want := fmt.Sprintf("/dev/%s ext4\nlost+found\n8388608\n1\n", c.dev)
			if got := say(t, e, script, set...); got != want {
				t.Errorf("%q, want %q", got, want)
			}
			if after := unnamedFiles(t); after != before {
				t.Errorf("the lab has %d unnamed files open, and had %d", after, before)
			}
		})
	}
}

// unnamedFiles counts this process's descriptors on files without a name.
func unnamedFiles(t *testing.T) (n int) {
	t.Helper()
	fds, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fds {
		if to, err := os.Readlink(f); err == nil && strings.HasSuffix(to, " (deleted)") {
			n++
		}
	}
	return n
}

// What QEMU is told is what was asked for.
func TestDataDiskCommandLine(t *testing.T) {
	e := open(t)
	s := spec(t, e, "/bin/sleep", "1000")
	s.Settings["disk"], s.Settings["disk-size"], s.Settings["cache"], s.Settings["io"] = "virtio", "32M", "none", "native"
	i := start(t, e, s)
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", i.pid))
	if err != nil {
		t.Fatal(err)
	}
	line := strings.ReplaceAll(string(b), "\x00", " ")
	for _, want := range []string{`"aio":"native"`, `"cache":{"direct":true,"no-flush":false}`, `"filename":"/run/vm/files/`, "virtio-blk-pci", "data=/data exec /bin/sleep"} {
		if !strings.Contains(line, want) {
			t.Errorf("no %s in %s", want, line)
		}
	}
}

func TestCheckData(t *testing.T) {
	dir := t.TempDir()
	e := &Env{tb: &testbed.Testbed{Cache: dir}}
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
		err := e.checkData(bench.Spec{Settings: set})
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
