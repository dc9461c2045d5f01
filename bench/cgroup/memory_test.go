package cgroup

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Figures that lag behind what a group is charged for in all are read again, and given as
// they are if that doesn't help.
func TestMemoryLags(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name+".new"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, name+".new"), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	g := &Group{mem: dir, memV2: true}
	write("memory.current", "300000000\n")
	write("memory.stat", "anon 100000000\nfile 0\nkernel 1000\n")
	late := time.AfterFunc(100*time.Millisecond, func() {
		write("memory.stat", "anon 200000000\nfile 99000000\nkernel 1000\n")
	})
	defer late.Stop()
	if m, err := g.Memory(); err != nil || m.Anon != 200000000 || m.File != 99000000 {
		t.Errorf("%+v, %v", m, err)
	}
	write("memory.current", "900000000\n") // of a kind that isn't asked for
	if m, err := g.Memory(); err != nil || m.Anon != 200000000 {
		t.Errorf("%+v, %v", m, err)
	}
}
