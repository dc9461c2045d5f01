package image

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// tree makes a small file tree.
func tree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{"bin", "etc"} {
		must(t, os.Mkdir(filepath.Join(dir, d), 0o755))
	}
	must(t, os.WriteFile(filepath.Join(dir, "bin/sh"), []byte("shell"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "etc/passwd"), []byte("root"), 0o644))
	must(t, os.Symlink("sh", filepath.Join(dir, "bin/ash")))
	must(t, unix.Mkfifo(filepath.Join(dir, "etc/fifo"), 0o600))
	return dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func sum(t *testing.T, dir string) string {
	t.Helper()
	s, _, err := Sum(dir)
	must(t, err)
	return s
}

func TestSum(t *testing.T) {
	dir := tree(t)
	want, size, err := Sum(dir)
	must(t, err)
	if !strings.HasPrefix(want, "sha256:") || len(want) != len("sha256:")+64 || size != 9 {
		t.Errorf("digest %q, %d bytes, want 9", want, size)
	}
	// The same tree elsewhere, made by somebody else at another time.
	other := tree(t)
	must(t, filepath.WalkDir(other, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.Type()&(os.ModeSymlink|os.ModeNamedPipe) != 0 {
			return err
		}
		return os.Chtimes(name, time.Unix(1, 0), time.Unix(2, 0))
	}))
	if os.Geteuid() == 0 {
		must(t, os.Chown(filepath.Join(other, "bin/sh"), 1234, 1234))
	}
	if got := sum(t, other); got != want {
		t.Errorf("the same tree: %s, want %s", got, want)
	}
	for name, change := range map[string]func(dir string) error{
		"content": func(d string) error { return os.WriteFile(d+"/bin/sh", []byte("Shell"), 0o755) },
		"empty":   func(d string) error { return os.Truncate(d+"/bin/sh", 0) },
		"mode":    func(d string) error { return os.Chmod(d+"/bin/sh", 0o700) },
		"setuid":  func(d string) error { return os.Chmod(d+"/bin/sh", 0o755|os.ModeSetuid) },
		"root":    func(d string) error { return os.Chmod(d, 0o700) },
		"link": func(d string) error {
			return errors.Join(os.Remove(d+"/bin/ash"), os.Symlink("./sh", d+"/bin/ash"))
		},
		"link to file": func(d string) error {
			return errors.Join(os.Remove(d+"/bin/ash"), os.WriteFile(d+"/bin/ash", []byte("sh"), 0o777))
		},
		"added":   func(d string) error { return os.WriteFile(d+"/new", nil, 0o644) },
		"folder":  func(d string) error { return os.Mkdir(d+"/new", 0o755) },
		"removed": func(d string) error { return os.Remove(d + "/etc/passwd") },
		"renamed": func(d string) error { return os.Rename(d+"/bin/sh", d+"/bin/si") },
		"moved":   func(d string) error { return os.Rename(d+"/bin/sh", d+"/etc/sh") },
		"FIFO":    func(d string) error { return os.Remove(d + "/etc/fifo") },
	} {
		t.Run(name, func(t *testing.T) {
			d := tree(t)
			must(t, change(d))
			if sum(t, d) == want {
				t.Error("the digest is the same")
			}
		})
	}
}

func TestSumDevices(t *testing.T) {
	dir := t.TempDir()
	var sums []string
	for _, dev := range []uint64{unix.Mkdev(1, 3), unix.Mkdev(1, 5)} {
		name := filepath.Join(dir, "null")
		os.Remove(name)
		if err := unix.Mknod(name, unix.S_IFCHR|0o666, int(dev)); err != nil {
			t.Skip("SKIPPED: making device nodes needs root: sudo make test")
		}
		sums = append(sums, sum(t, dir))
	}
	if sums[0] == sums[1] {
		t.Error("/dev/null and /dev/zero are the same")
	}
}

func TestOpen(t *testing.T) {
	dir := tree(t)
	r, err := Open(dir)
	must(t, err)
	if r.Dir != dir || r.Name != filepath.Base(dir) || r.Size != 9 || r.Digest != sum(t, dir) {
		t.Errorf("%+v", r)
	}
	// A link to a tree is that tree.
	link := filepath.Join(t.TempDir(), "link")
	must(t, os.Symlink(dir, link))
	if l, err := Open(link); err != nil || l.Digest != r.Digest || l.Dir != dir || l.Name != "link" {
		t.Errorf("through a link: %+v, %v; want %+v", l, err, r)
	}
	t.Chdir(filepath.Dir(dir))
	if rel, err := Open(filepath.Base(dir)); err != nil || rel.Dir != r.Dir || rel.Digest != r.Digest {
		t.Errorf("a relative path: %+v, %v; want %+v", rel, err, r)
	}
	for _, bad := range []string{filepath.Join(dir, "no"), filepath.Join(dir, "bin/sh")} {
		if r, err := Open(bad); err == nil {
			t.Errorf("%s: %+v", bad, r)
		}
	}
}

func TestSumFile(t *testing.T) {
	dir := tree(t)
	s, n, err := SumFile(dir, "bin/sh")
	// printf shell | sha256sum
	if want := "sha256:" + shell; err != nil || s != want || n != 5 {
		t.Errorf("%s, %d, %v; want %s", s, n, err, want)
	}
	if _, _, err := SumFile(dir, "."); err == nil {
		t.Error("a folder has a file's digest")
	}
}

const shell = "ce635c4eabff5e4f56dba8fb1e39ca235530aa2b6b18533eef1af3862016c577"

func TestMakeDefault(t *testing.T) {
	cache := filepath.Join(t.TempDir(), "cache")
	var digest string
	for range 2 { // the second in place of the first
		r, err := MakeDefault(cache, os.Getuid(), os.Getgid())
		if errors.Is(err, ErrNoBusybox) {
			t.Skip("SKIPPED: no static busybox: apt-get install busybox-static")
		}
		must(t, err)
		if r.Dir != DefaultDir(cache) || r.Name != "default" {
			t.Errorf("%+v", r)
		}
		if digest != "" && r.Digest != digest {
			t.Error("made twice, it has two digests")
		}
		digest = r.Digest
	}
	entries, err := os.ReadDir(filepath.Dir(DefaultDir(cache)))
	if err != nil || len(entries) != 2 { // and its stamp
		t.Errorf("left beside it: %v, %v", entries, err)
	}
	for _, prog := range []string{ReadyPath, "/bin/sh", "/bin/busybox"} {
		st, err := os.Stat(filepath.Join(DefaultDir(cache), prog))
		if err != nil || st.Mode().Perm() != 0o755 {
			t.Errorf("%s: %v, %v", prog, st, err)
		}
	}
	out, err := exec.Command(filepath.Join(DefaultDir(cache), "bin/echo"), "hello").Output()
	if err != nil || string(out) != "hello\n" {
		t.Errorf("its echo says %q, %v", out, err)
	}
}
