package vm

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
