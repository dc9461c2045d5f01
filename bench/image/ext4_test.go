package image

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// tools skips a test where e2fsprogs isn't installed.
func tools(t *testing.T) {
	t.Helper()
	for _, name := range []string{"mkfs.ext4", "debugfs", "e2fsck"} {
		if _, err := FindTool(name); err != nil {
			t.Skipf("SKIPPED: %v", err)
		}
	}
}

// grow makes a tree of all kinds of files, in the order of names or against it.
func grow(t *testing.T, backwards bool) Ref {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	names := []string{"a file", "b", "c", "deep/er/file", "empty", "large", "z\nz"}
	for n := range names {
		if backwards {
			n = len(names) - 1 - n
		}
		path := filepath.Join(dir, names[n])
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		data := []byte(strings.Repeat(names[n], 1000*n*n*n))
		if err := os.WriteFile(path, data, 0o640); err != nil {
			t.Fatal(err)
		}
	}
	for from, to := range map[string]string{"short": "b", "long": strings.Repeat("x/", 200)} {
		if err := os.Symlink(to, filepath.Join(dir, from)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "tmp"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "tmp"), 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "b"), 0o755|os.ModeSetuid); err != nil {
		t.Fatal(err)
	}
	for n := range 300 { // a folder of several blocks
		path := filepath.Join(dir, "tmp", "a name that takes some room in its folder "+strconv.Itoa(n))
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r, err := At(dir)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func disk(t *testing.T, r Ref) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk")
	if err := r.WriteExt4(context.Background(), path); err != nil {
		t.Fatal(err)
	}
	return path
}

func bytesSum(t *testing.T, path string) [32]byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(b)
}

// The disk is whole, and holds the tree with root as its owner.
func TestExt4(t *testing.T) {
	tools(t)
	r := grow(t, false)
	path := disk(t, r)
	e2fsck, _ := FindTool("e2fsck")
	if out, err := exec.Command(e2fsck, "-f", "-n", path).CombinedOutput(); err != nil {
		t.Errorf("e2fsck: %v\n%s", err, out)
	}
	debugfs, _ := FindTool("debugfs")
	out, err := exec.Command(debugfs, "-R", "stat /deep/er/file", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"User:     0   Group:     0", "mtime: 0x00000000:00000000", "Mode:  0640"} {
		if !bytes.Contains(out, []byte(want)) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	back := filepath.Join(t.TempDir(), "back")
	if err := os.Mkdir(back, 0o755); err != nil {
		t.Fatal(err)
	}
	// debugfs brings no sticky bit and no set-user-ID back: mount(2) would,
	// and a guest's test looks at these.
	if out, err := exec.Command(debugfs, "-R", "rdump / "+back, path).CombinedOutput(); err != nil {
		t.Fatalf("rdump: %v\n%s", err, out)
	}
	same(t, r.Dir, back)
	if _, err := os.Lstat(filepath.Join(back, "lost+found")); err == nil {
		t.Error("the disk has a folder lost+found, and the image hasn't")
	}
}

// same compares two trees' names, types and contents.
func same(t *testing.T, a, b string) {
	t.Helper()
	list := func(dir string) map[string]string {
		out := make(map[string]string)
		err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			rel, _ := filepath.Rel(dir, name)
			text := d.Type().String()
			switch d.Type() {
			case 0:
				data, err := os.ReadFile(name)
				if err != nil {
					return err
				}
				text += string(data)
			case fs.ModeSymlink:
				to, err := os.Readlink(name)
				if err != nil {
					return err
				}
				text += to
			}
			out[rel] = text
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	x, y := list(a), list(b)
	for name := range x {
		if x[name] != y[name] {
			t.Errorf("%q isn't on the disk as it is in the image", name)
		}
	}
	for name := range y {
		if _, ok := x[name]; !ok {
			t.Errorf("%q is on the disk and not in the image", name)
		}
	}
}

// The bytes depend on nothing but the tree.
func TestExt4IsTheSame(t *testing.T) {
	tools(t)
	a, b := grow(t, false), grow(t, true)
	old := time.Unix(1_000_000_000, 123456789)
	if err := os.Chtimes(filepath.Join(b.Dir, "c"), old, old); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(filepath.Join(b.Dir, "c"), 70000, 70000); err != nil {
			t.Fatal(err)
		}
	}
	if bytesSum(t, disk(t, a)) != bytesSum(t, disk(t, b)) {
		t.Error("the same tree, made by another on another day, gives another disk")
	}
	if err := os.Chmod(filepath.Join(b.Dir, "c"), 0o600); err != nil {
		t.Fatal(err)
	}
	if bytesSum(t, disk(t, a)) == bytesSum(t, disk(t, b)) {
		t.Error("other permissions give the same disk")
	}
}

// What goes wrong in the tools is said.
func TestExt4Fails(t *testing.T) {
	tools(t)
	r := grow(t, false)
	path := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.WriteExt4(context.Background(), path); err == nil {
		t.Error("a file that was there is overwritten")
	}
	if err := (Ref{Dir: "/nonexistent"}).WriteExt4(context.Background(), path+"2"); err == nil {
		t.Error("no error for a folder that isn't there")
	}
	if err := tool(context.Background(), "debugfs", "-w", "-R", "rmdir /nowhere", disk(t, r)); err == nil {
		t.Error("debugfs failed, and nobody says so")
	}
	full := filepath.Join(t.TempDir(), "small")
	f, err := os.Create(full)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Ftruncate(int(f.Fd()), 64<<10); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if err := tool(context.Background(), "mkfs.ext4", "-q", "-F", "-d", r.Dir, full); err == nil {
		t.Error("mkfs found room for 200 kB on 64 KiB")
	}
}

// A disk of several block groups is settled in all of them.
func TestExt4OfManyGroups(t *testing.T) {
	tools(t)
	r := grow(t, false)
	if err := os.Truncate(filepath.Join(r.Dir, "empty"), 300<<20); err != nil { // a hole
		t.Fatal(err)
	}
	path := disk(t, r)
	e2fsck, _ := FindTool("e2fsck")
	if out, err := exec.Command(e2fsck, "-f", "-n", path).CombinedOutput(); err != nil {
		t.Errorf("e2fsck: %v\n%s", err, out)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	super := make([]byte, 1024)
	if _, err := f.ReadAt(super, superAt); err != nil {
		t.Fatal(err)
	}
	if total, group := super[superInodes:][:4], super[superPerGroup:][:4]; bytes.Equal(total, group) {
		t.Error("the disk has one group, and the test shows nothing")
	}
	st, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if used := st.Sys().(*syscall.Stat_t).Blocks * 512; used > 32<<20 {
		t.Errorf("a tree with a hole of 300 MiB takes %d bytes of disk", used)
	}
}

// The journal of an empty file system is written: in a file whose room is only
// reserved the host sees data there, 4 MiB of a disk of 64.
func TestFormatExt4Writes(t *testing.T) {
	tools(t)
	f, err := os.Create(filepath.Join(t.TempDir(), "disk"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const size = 64 << 20
	if err := unix.Fallocate(int(f.Fd()), 0, 0, size); err != nil {
		t.Skipf("SKIPPED: no room can be reserved here: %v", err)
	}
	if err := FormatExt4(t.Context(), f.Name()); err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	var written int64
	for at := int64(0); ; {
		from, err := unix.Seek(int(f.Fd()), at, unix.SEEK_DATA)
		if err == unix.ENXIO {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if at, err = unix.Seek(int(f.Fd()), from, unix.SEEK_HOLE); err != nil {
			t.Fatal(err)
		}
		written += at - from
	}
	if written < 4<<20 || written > size/2 {
		t.Errorf("%d KiB of the disk are written", written>>10)
	}
}
