package input

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What isn't a regular file within its bound is refused at once, by path and below
// a folder, with an error that names it.
func TestRefused(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(unix.Mkfifo(at("fifo"), 0o600))
	must(os.Mkdir(at("folder"), 0o700))
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	must(err)
	defer unix.Close(fd)
	must(unix.Bind(fd, &unix.SockaddrUnix{Name: at("socket")}))
	must(os.WriteFile(at("small"), []byte("12345"), 0o600))
	must(os.WriteFile(at("sparse"), nil, 0o600))
	must(os.Truncate(at("sparse"), 300<<30))
	must(os.Symlink("small", at("link")))
	must(os.Symlink("fifo", at("to-fifo")))
	must(os.Symlink("/dev/zero", at("zero")))
	must(os.Symlink("../outside", at("out")))
	root, err := OpenRoot(dir)
	must(err)
	defer root.Close()
	for _, test := range []struct {
		name string
		want error
		in   error // below the folder, where it differs
	}{
		{"small", nil, nil},
		{"link", nil, nil},
		{"fifo", ErrKind, nil},
		{"to-fifo", ErrKind, nil},
		{"folder", ErrKind, nil},
		{"socket", ErrKind, nil},
		{"sparse", ErrSize, nil},
		{"zero", ErrKind, errors.New("escapes")},
		{"out", fs.ErrNotExist, errors.New("escapes")},
		{"none", fs.ErrNotExist, nil},
	} {
		began := time.Now()
		check := func(data []byte, err, want error) {
			t.Helper()
			switch {
			case want == nil && (err != nil || string(data) != "12345"):
				t.Errorf("%s: %q, %v", test.name, data, err)
			case want != nil && (err == nil || !errors.Is(err, want) && !strings.Contains(err.Error(), want.Error())):
				t.Errorf("%s: %v, want %v", test.name, err, want)
			case want != nil && !strings.Contains(err.Error(), test.name):
				t.Errorf("%v doesn't name %s", err, test.name)
			}
		}
		data, err := ReadFile(at(test.name), 5)
		check(data, err, test.want)
		want := test.want
		if test.in != nil {
			want = test.in
		}
		data, err = ReadIn(root, test.name, 5)
		check(data, err, want)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s took %v", test.name, took)
		}
	}
	if _, err := ReadFile(at("small"), 4); !errors.Is(err, ErrSize) {
		t.Error("5 bytes within a bound of 4:", err)
	}
	if _, err := OpenRoot(at("fifo")); !errors.Is(err, unix.ENOTDIR) {
		t.Error("a pipe as a folder:", err)
	}
	// Such a file has no size, and is read nevertheless.
	if b, err := ReadFile("/proc/self/status", 1<<20); err != nil || len(b) == 0 {
		t.Error("/proc/self/status:", err)
	}
	if _, err := ReadFile("/proc/self/status", 100); !errors.Is(err, ErrSize) {
		t.Error("/proc/self/status within 100 bytes:", err)
	}
}
