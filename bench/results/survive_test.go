package results

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// dirty is how many pages of a file aren't on the disk (cachestat(2), Linux 6.5); the
// test is skipped where that can't be told.
func dirty(t *testing.T, name string) uint64 {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var within struct{ off, length uint64 }
	var stat struct{ cached, dirty, writeback, evicted, recently uint64 }
	const cachestat = 451
	if _, _, errno := unix.Syscall6(cachestat, f.Fd(), uintptr(unsafe.Pointer(&within)), uintptr(unsafe.Pointer(&stat)), 0, 0, 0); errno != 0 {
		t.Skip("SKIPPED: no cachestat(2) here: ", errno)
	}
	return stat.dirty + stat.writeback
}

// onDisk is a folder on a file system that keeps what is written in memory at first.
func onDisk(t *testing.T) string {
	t.Helper()
	for _, dir := range []string{t.TempDir(), "/var/tmp", "."} {
		dir, err := os.MkdirTemp(dir, "lab-survive-")
		if err != nil {
			continue
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		probe := filepath.Join(dir, "probe")
		if err := os.WriteFile(probe, make([]byte, 1<<16), 0o644); err != nil {
			t.Fatal(err)
		}
		before := dirty(t, probe)
		f, err := os.Open(probe)
		if err != nil {
			t.Fatal(err)
		}
		f.Sync()
		f.Close()
		if before > 0 && dirty(t, probe) == 0 {
			return dir
		}
	}
	t.Skip("SKIPPED: no file system here tells what is on the disk")
	return ""
}

// What the policy says is on the disk is there: a run's first files when its folder
// appears, trials SyncEvery later and when the writer is closed.
func TestOnDisk(t *testing.T) {
	dir := filepath.Join(onDisk(t), "r")
	f, err := Create(dir, os.Getuid(), os.Getgid(), func(w *Writer) error {
		return errors.Join(w.Machine(&Machine{}), w.Manifest(&Manifest{}))
	})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, name := range []string{ManifestFile, MachineFile} {
		if n := dirty(t, filepath.Join(dir, name)); n > 0 {
			t.Errorf("%s: %d pages aren't on the disk", name, n)
		}
	}
	w, err := NewWriter(f, os.Getuid(), os.Getgid())
	if err != nil {
		t.Fatal(err)
	}
	trials := filepath.Join(dir, TrialsFile)
	write := func() {
		t.Helper()
		if err := w.Trial([]Line{{Metric: "ready", Unit: "s"}}); err != nil {
			t.Fatal(err)
		}
	}
	write()
	if dirty(t, trials) == 0 {
		t.Error("a trial was waited for: that takes longer than many a trial")
	}
	w.synced = time.Now().Add(-SyncEvery)
	write()
	if n := dirty(t, trials); n > 0 {
		t.Errorf("after %v %d pages aren't on the disk", SyncEvery, n)
	}
	write()
	if err := w.Samples([]Sample{{Metric: "latency"}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{trials, filepath.Join(dir, SamplesDir, "latency.jsonl")} {
		if n := dirty(t, name); n > 0 {
			t.Errorf("when the writer is closed %d pages of %s aren't on the disk", n, name)
		}
	}
}

// A folder appears whole or not at all, and what a killed lab began goes with the next
// one's beginning; nothing else does.
func TestUnborn(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "r")
	seen := false
	if _, err := Create(dir, os.Getuid(), os.Getgid(), func(w *Writer) error {
		_, err := os.Lstat(dir)
		seen = err == nil
		return errors.New("no room")
	}); err == nil || seen {
		t.Errorf("%v; seen before it is whole: %v", err, seen)
	}
	entries := func() (out []string) {
		t.Helper()
		es, err := os.ReadDir(top)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range es {
			out = append(out, e.Name())
		}
		return out
	}
	if l := entries(); len(l) != 0 {
		t.Errorf("left: %v", l)
	}
	// A killed one's, in each state, and things that only look like it.
	make := func(name string, files map[string]string) {
		t.Helper()
		if err := os.Mkdir(filepath.Join(top, name), 0o755); err != nil {
			t.Fatal(err)
		}
		for f, text := range files {
			if err := os.WriteFile(filepath.Join(top, name, f), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	make(".a.new-1", nil)
	make(".b.new-22", map[string]string{TrialsFile: "", "." + MachineFile + ".new": "{"})
	make(".c.new-333", map[string]string{TrialsFile: "", MachineFile: "{}", ManifestFile: "{}", ExperimentFile: "x"})
	stay := []string{".d.new-1", ".e.new-1", ".f.new-x", ".g.new-", ".h.new-7", ".i.new-8", "j.new-1"}
	make(stay[0], map[string]string{TrialsFile: "a trial\n"})
	make(stay[1], map[string]string{"thesis.txt": ""})
	make(stay[2], nil)
	make(stay[3], nil)
	if err := os.WriteFile(filepath.Join(top, stay[4]), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	make(stay[5], nil)
	make(stay[6], nil)
	alive, err := os.Open(filepath.Join(top, stay[5]))
	if err != nil {
		t.Fatal(err)
	}
	defer alive.Close()
	if err := unix.Flock(int(alive.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	f, err := Create(dir, os.Getuid(), os.Getgid(), nil)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if l := entries(); !slices.Equal(l, append(stay, "r")) {
		t.Errorf("there are %v, want %v and r", l, stay)
	}
	if st, err := os.Stat(dir); err != nil || st.Mode().Perm() != 0o755 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
}
