package vm

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/benchtest"
	"lab/vm/daemon"
)

// systemd mounts a file system of huge pages at /dev/hugepages; others mount
// more, elsewhere. libvirt would look for each, and make folders in it, if it saw
// them: its root has none.
func TestHugePages(t *testing.T) {
	starts := func(name string) (ok bool) {
		t.Run(name, func(t *testing.T) { abroad(t); ok = true })
		return ok
	}
	if !starts("without") {
		t.Skip("SKIP: no guest can be run here at all")
	}
	run := filepath.Join(benchtest.Testbed(t).Dir, "huge")
	for name, dir := range map[string]string{"below run": run, "elsewhere": t.TempDir()} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount("none", dir, "hugetlbfs", 0, ""); err != nil {
			t.Skip("SKIP: this kernel has no huge pages: ", err)
		}
		t.Cleanup(func() {
			if err := unix.Unmount(dir, 0); err != nil {
				t.Error(err)
			}
			os.Remove(dir)
		})
		if !starts(name) {
			t.Error("no daemon with huge pages ", name)
		}
		if left, err := os.ReadDir(dir); len(left) > 0 || err != nil {
			t.Errorf("left in %s: %v, %v", dir, left, err)
		}
	}
}

// A daemon that doesn't start tells by its last error what it lacks.
func TestDaemonRefuses(t *testing.T) {
	own := open(t)
	for _, c := range []struct{ name, file, text, want string }{
		{"driver", "/etc/libvirt/qemu.conf", `hugetlbfs_mount = "/nonexistent"`, "'/nonexistent'"},
		{"configuration", "/etc/libvirt/libvirtd.conf", "listen_tls = many", "expecting a value"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := own.own.Mounts()
			if err != nil {
				t.Fatal(err)
			}
			m.Bed = filepath.Join(own.tb.Dir, "refuses")
			defer os.RemoveAll(m.Bed)
			m.Files = map[string]string{c.file: c.text, "/etc/libvirt/virtqemud.conf": c.text}
			log, err := own.tb.Log("refuses.log")
			if err != nil {
				t.Fatal(err)
			}
			defer log.Close()
			log.WriteString("2026-01-01 00:00:00.000+0000: 1: error : f:1 : of an earlier daemon\n")
			ctx := within(t, time.Minute)
			began := time.Now()
			d, err := daemon.Start(ctx, m, log)
			if err == nil {
				defer d.Stop()
				_, err = d.Connect(ctx)
			}
			says(t, began, 10*time.Second, err, c.want)
			if err != nil && strings.Contains(err.Error(), "earlier daemon") {
				t.Error("another daemon's error:", err)
			}
		})
	}
}
