package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lab/cmd/cli"
)

// A limit of a disk's transfers holds for what is read past the cache.
func TestDiskLimit(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIP: limits need root; fix: sudo make test")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// The disk that the temporary folder is on, and a file there.
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, make([]byte, 1<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Stat(file, &st); err != nil {
		t.Fatal(err)
	}
	node := filepath.Join(t.TempDir(), "disk")
	if err := unix.Mknod(node, unix.S_IFBLK|0o600, int(st.Dev)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(fmt.Sprintf("/sys/dev/block/%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev))); err != nil {
		t.Skipf("SKIP: %s isn't on a disk of its own (%v); fix: TMPDIR on ext4 or xfs", file, err)
	}
	f, err := os.OpenFile(file, os.O_RDWR|unix.O_DIRECT, 0)
	if err != nil {
		t.Skip("SKIP: no direct access there: ", err)
	}
	f.Close()
	lab := filepath.Join(t.TempDir(), "lab")
	if err := os.Symlink(self, lab); err != nil {
		t.Fatal(err)
	}
	empty := t.TempDir() // no image: dd is the machine's
	read := func(flags ...string) time.Duration {
		args := append([]string{"exec", "host", "--image", empty}, flags...)
		began := time.Now()
		out, err := exec.Command(lab, append(args, "--", "dd", "if="+file, "of=/dev/null", "iflag=direct", "bs=256k")...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return time.Since(began)
	}
	// 4 reads of 256 KiB at 1 MiB a second: the first goes at once.
	free, limited := read(), read("--device-read-bps", node+":1M")
	if limited < 700*time.Millisecond {
		t.Errorf("1 MiB at 1 MiB/s took %v (%v without a limit)", limited, free)
	}
	for _, bad := range [][]string{
		{"--device-read-bps", node + ":1M", "--device-read-bps", node + ":2M"},
		{"--device-read-bps", filepath.Dir(node) + ":1M"},
	} {
		out, err := exec.Command(lab, append(append([]string{"exec", "host"}, bad...), "--", "true")...).CombinedOutput()
		if x, ok := err.(*exec.ExitError); !ok || x.ExitCode() != cli.StatusUsage {
			t.Errorf("%v: %v\n%s", bad, err, out)
		}
	}
}
