package testbed

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"lab/bench/cgroup"
)

// The work folder goes with its testbed; what a killed one left is swept, and
// what isn't the lab's stays.
func TestWorkFolder(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root; fix: sudo make test")
	}
	old := runDir
	runDir = filepath.Join(t.TempDir(), "run")
	defer func() { runDir = old }()
	dir := t.TempDir()
	open := func() *Testbed {
		t.Helper()
		tb, err := Local(t.TempDir(), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := tb.OpenWork(dir); err != nil {
			t.Skipf("%v", err)
		}
		if err := os.WriteFile(filepath.Join(tb.Work, "data"), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		return tb
	}
	left := func() []string {
		t.Helper()
		var out []string
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			out = append(out, e.Name())
		}
		return out
	}
	tb := open()
	// Another's folder, which only looks like the lab's.
	foreign := filepath.Join(dir, "lab-deadbeef")
	if err := os.MkdirAll(filepath.Join(foreign, "precious"), 0o755); err != nil {
		t.Fatal(err)
	}
	// A living one is swept by nobody.
	other := open()
	if _, err := Sweep(); err != nil {
		t.Fatal(err)
	}
	if l := left(); len(l) != 3 {
		t.Fatalf("with two testbeds alive: %v", l)
	}
	if err := tb.Close(); err != nil {
		t.Fatal(err)
	}
	// The other one's owner is killed: its locks go, its folders stay.
	other.work.Close()
	other.folder.Close()
	removed, err := Sweep()
	if l := left(); err != nil || len(l) != 1 || l[0] != "lab-deadbeef" {
		t.Errorf("after the sweep: %v, %v; removed %v", l, err, removed)
	}
	// After the machine was switched off there is no run folder.
	lost := filepath.Join(dir, "lab-0badcafe")
	if err := os.MkdirAll(filepath.Join(lost, "upper"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setxattr(lost, cgroup.Tag, []byte("0badcafe"), 0); err != nil {
		t.Fatal(err)
	}
	if gone := SweepWork(dir); len(gone) != 1 || gone[0] != lost {
		t.Errorf("swept %v, not %s", gone, lost)
	}
	tb = open()
	if l := left(); len(l) != 2 {
		t.Errorf("a lost folder is still there, or more is gone: %v", l)
	}
	if err := tb.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(foreign, "precious")); err != nil {
		t.Error(err)
	}
}

func TestFSType(t *testing.T) {
	if got, err := FSType("/proc"); err != nil || got != "unknown (0x9fa0)" {
		t.Errorf("/proc: %q, %v", got, err)
	}
	if got, err := FSType("/dev/shm"); err == nil && got != "tmpfs" {
		t.Errorf("/dev/shm: %q", got)
	}
	if _, err := FSType("/nonexistent"); err == nil {
		t.Error("no error for a folder that isn't there")
	}
}
