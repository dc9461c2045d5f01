package pagecache

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// onDisk is a folder on a file system that isn't RAM.
func onDisk(t *testing.T) string {
	t.Helper()
	for _, dir := range []string{t.TempDir(), "."} {
		// An overlay over a tmpfs doesn't say what it lies on.
		if onRAM(t, dir) {
			continue
		}
		d, err := os.MkdirTemp(dir, "pagecache-")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(d) })
		return d
	}
	t.Skip("SKIPPED: all file systems at hand are in RAM; fix: TMPDIR=a folder on a disk make test")
	return ""
}

// onRAM says whether the file system of a folder takes nothing out of memory for
// anybody: the kernel's own word, on a file that is of no use.
func onRAM(t *testing.T, dir string) bool {
	t.Helper()
	f, err := os.CreateTemp(dir, "pagecache-*")
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := f.Write(make([]byte, 1<<16)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(unix.Fdatasync(int(f.Fd())), unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)); err != nil {
		t.Fatal(err)
	}
	n, _, err := Resident(f)
	if err != nil {
		t.Fatal(err)
	}
	return n > 0
}

// write leaves a file in the page cache, dirty, with a last page that isn't full.
func write(t *testing.T, name string, pages int) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, bytes.Repeat([]byte{7}, pages*os.Getpagesize()-100), 0o644); err != nil {
		t.Fatal(err)
	}
}

func resident(t *testing.T, name string) int64 {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n, _, err := Resident(f)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestDrop(t *testing.T) {
	dir := onDisk(t)
	in, out := filepath.Join(dir, "tree", "a", "b"), filepath.Join(dir, "beside")
	write(t, in, 40)
	write(t, filepath.Join(dir, "tree", "c"), 1)
	write(t, filepath.Join(dir, "tree", "d"), 3)
	write(t, out, 40)
	if err := os.WriteFile(filepath.Join(dir, "tree", "empty"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(out, filepath.Join(dir, "tree", "link")); err != nil {
		t.Fatal(err)
	}
	page := int64(os.Getpagesize())
	if n := resident(t, in); n != 40*page {
		t.Fatalf("%d bytes of a file just written are in the page cache, not %d", n, 40*page)
	}
	if err := Drop(filepath.Join(dir, "tree")); err != nil {
		t.Fatal(err)
	}
	if n := resident(t, in); n != 0 {
		t.Errorf("%d bytes stayed", n)
	}
	if n := resident(t, out); n != 40*page {
		t.Errorf("of a file that wasn't named %d bytes are left, not %d", n, 40*page)
	}
	if b, err := os.ReadFile(in); err != nil || len(b) != int(40*page)-100 || b[0] != 7 {
		t.Errorf("read again: %d bytes, %v", len(b), err)
	}
	if n := resident(t, in); n != 40*page {
		t.Errorf("%d bytes are there after it was read, not %d", n, 40*page)
	}
}

func TestDropMapped(t *testing.T) {
	name := filepath.Join(onDisk(t), "mapped")
	write(t, name, 8)
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := unix.Mmap(int(f.Fd()), 0, 8*os.Getpagesize()-100, unix.PROT_READ, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		t.Fatal(err)
	}
	var stayed *StayedError
	if err := Drop(name); !errors.As(err, &stayed) || stayed.Path != name || stayed.Resident == 0 {
		t.Errorf("a file that is mapped: %v", err)
	}
	if err := unix.Munmap(m); err != nil {
		t.Fatal(err)
	}
	if err := Drop(name); err != nil {
		t.Error(err)
	}
}

func TestDropNothing(t *testing.T) {
	if err := Drop(filepath.Join(t.TempDir(), "nosuch")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if err := Drop(); err != nil {
		t.Error(err)
	}
}
