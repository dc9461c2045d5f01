package image

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// stored makes the default image in a new cache.
func stored(t *testing.T) (cache string, r Ref) {
	t.Helper()
	cache = filepath.Join(t.TempDir(), "a", "cache")
	r, err := Default(cache, false, os.Getuid(), os.Getgid())
	if errors.Is(err, ErrNoBusybox) {
		t.Skip("SKIPPED: no static busybox: apt-get install busybox-static")
	}
	must(t, err)
	return cache, r
}

// TestStored damages the default image in each way that a program could, right
// after it was made, and wants it whole when it is opened next.
func TestStored(t *testing.T) {
	for name, damage := range map[string]func(dir string) error{
		"a new file":  func(dir string) error { return os.WriteFile(filepath.Join(dir, "x"), nil, 0o644) },
		"a file less": func(dir string) error { return os.Remove(filepath.Join(dir, "etc/group")) },
		"a link less": func(dir string) error { return os.Remove(filepath.Join(dir, "bin/ls")) },
		"another link": func(dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, "bin/ls")), os.Symlink("ready", filepath.Join(dir, "bin/ls")))
		},
		"another mode":        func(dir string) error { return os.Chmod(filepath.Join(dir, "root"), 0o700) },
		"a renamed file":      func(dir string) error { return os.Rename(filepath.Join(dir, "etc/group"), filepath.Join(dir, "etc/g")) },
		"the image less":      os.RemoveAll,
		"an older lab's file": func(dir string) error { return os.Remove(dir + ".stamp") },
		"bytes of the same length": func(dir string) error {
			f, err := os.OpenFile(filepath.Join(dir, "etc/passwd"), os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.WriteAt([]byte("RooT"), 0)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			cache, whole := stored(t)
			if !IsCurrent(cache) {
				t.Fatal("just made, it isn't current")
			}
			must(t, damage(whole.Dir))
			if IsCurrent(cache) {
				t.Fatal("the damage isn't seen")
			}
			r, err := Default(cache, false, os.Getuid(), os.Getgid())
			must(t, err)
			if got := sum(t, r.Dir); r.Dir != whole.Dir || r.Digest != whole.Digest || got != whole.Digest {
				t.Errorf("opened again it is %+v, with the digest %s; it was %+v", r, got, whole)
			}
		})
	}
}

// TestStoredBytes damages what no stamp shows, which who reads all finds out.
func TestStoredBytes(t *testing.T) {
	cache, whole := stored(t)
	s := readStamp(stampFile(cache))
	must(t, os.WriteFile(filepath.Join(whole.Dir, "etc/passwd"), []byte("x"), 0o644))
	forged, err := newStamp(whole.Dir, s.digest, s.size, s.programs)
	must(t, err)
	must(t, forged.write(stampFile(cache), os.Getuid(), os.Getgid()))
	r, err := Default(cache, true, os.Getuid(), os.Getgid())
	must(t, err)
	if got := sum(t, r.Dir); got != whole.Digest {
		t.Errorf("digest %s, want %s", got, whole.Digest)
	}
}

// TestStoredCopy wants a copied cache to be used as it is.
func TestStoredCopy(t *testing.T) {
	cache, whole := stored(t)
	name := filepath.Join(whole.Dir, "etc/passwd")
	must(t, os.Chtimes(name, time.Unix(1, 0), time.Unix(1, 0)))
	var before, after syscall.Stat_t
	must(t, syscall.Stat(whole.Dir, &before))
	if IsCurrent(cache) {
		t.Fatal("a new ctime isn't seen")
	}
	_, err := Default(cache, false, os.Getuid(), os.Getgid())
	must(t, err)
	must(t, syscall.Stat(whole.Dir, &after))
	if before.Ino != after.Ino || !IsCurrent(cache) {
		t.Errorf("with the same bytes it was made again (%v), or isn't current", before.Ino != after.Ino)
	}
}

// TestPrograms wants an image with the programs of this lab.
func TestPrograms(t *testing.T) {
	cache, old := stored(t)
	probe := Entry{Name: "bin/probe", Mode: 0o755, Data: []byte("probe 2")}
	r, err := Default(cache, false, os.Getuid(), os.Getgid(), probe)
	must(t, err)
	got, err := os.ReadFile(filepath.Join(r.Dir, "bin/probe"))
	if err != nil || string(got) != "probe 2" || r.Digest == old.Digest || !IsCurrent(cache, probe) {
		t.Errorf("%q, %v", got, err)
	}
}

// TestUmask wants the same image whatever the umask is.
func TestUmask(t *testing.T) {
	_, want := stored(t)
	defer syscall.Umask(syscall.Umask(0o077))
	cache, got := stored(t)
	if got.Digest != want.Digest {
		t.Errorf("under umask 077 its digest is %s, else %s", got.Digest, want.Digest)
	}
	for dir := got.Dir; dir != filepath.Dir(cache); dir = filepath.Dir(dir) {
		if st, err := os.Stat(dir); err != nil || st.Mode().Perm() != 0o755 {
			t.Errorf("%s: %v, %v; want 0755", dir, st.Mode(), err)
		}
	}
}
