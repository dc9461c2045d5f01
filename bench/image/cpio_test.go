package image

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// listCPIO reads an archive back: one line an entry.
func listCPIO(t *testing.T, b []byte) (out []string) {
	t.Helper()
	for {
		if len(b) < 110 || string(b[:6]) != "070701" {
			t.Fatalf("no header at %q", b[:min(len(b), 12)])
		}
		var f [13]int
		for i := range f {
			n, err := strconv.ParseUint(string(b[6+8*i:14+8*i]), 16, 32)
			if err != nil {
				t.Fatal(err)
			}
			f[i] = int(n)
		}
		mode, uid, gid, mtime, size, names := f[1], f[2], f[3], f[5], f[6], f[11]
		name := string(b[110 : 110+names-1])
		b = b[(110+names+3)&^3:]
		data := string(b[:size])
		b = b[(size+3)&^3:]
		if name == "TRAILER!!!" {
			if len(b) > 0 {
				t.Errorf("%d bytes after the trailer", len(b))
			}
			return out
		}
		if uid != 0 || gid != 0 || mtime != 0 {
			t.Errorf("%s: owner %d:%d, time %d, want 0", name, uid, gid, mtime)
		}
		if len(data) > 20 {
			data = fmt.Sprintf("%d bytes", len(data))
		}
		out = append(out, fmt.Sprintf("%s %o %d:%d %s", name, mode, f[9], f[10], data))
	}
}

func testTree(t *testing.T) Ref {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{"bin", "tmp"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, mode := range map[string]fs.FileMode{"bin/su": fs.ModeSetuid | 0o755, "bin/x": 0o700, "empty": 0o644} {
		data := map[string]string{"bin/su": "su", "bin/x": strings.Repeat("x", 12345)}[name]
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "tmp"), fs.ModeSticky|0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/bin/x", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	return Ref{Dir: dir}
}

func TestWriteCPIO(t *testing.T) {
	more := []Entry{
		{Name: "dev", Mode: fs.ModeDir | 0o755},
		{Name: "dev/console", Mode: fs.ModeDevice | fs.ModeCharDevice | 0o600, Device: unix.Mkdev(5, 1)},
		{Name: "init", Mode: 0o755, Data: []byte("init")},
	}
	want := []string{
		"bin 40755 0:0 ",
		"bin/su 104755 0:0 su",
		"bin/x 100700 0:0 12345 bytes",
		"empty 100644 0:0 ",
		"link 120777 0:0 /bin/x",
		"tmp 41777 0:0 ",
		"dev 40755 0:0 ",
		"dev/console 20600 5:1 ",
		"init 100755 0:0 init",
	}
	var sums [2][32]byte
	for i := range sums { // two trees made one after the other: the same bytes
		var buf bytes.Buffer
		if err := testTree(t).WriteCPIO(&buf, more...); err != nil {
			t.Fatal(err)
		}
		if got := listCPIO(t, buf.Bytes()); strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("entries:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		sums[i] = sha256.Sum256(buf.Bytes())
	}
	if sums[0] != sums[1] {
		t.Error("the same tree gave two archives")
	}
}

func TestWriteCPIORefuses(t *testing.T) {
	for _, name := range []string{"", "/abs", "a/../b", "./a", "a//b"} {
		if err := testTree(t).WriteCPIO(&bytes.Buffer{}, Entry{Name: name}); err == nil {
			t.Errorf("entry %q: no error", name)
		}
	}
	if err := (Ref{Dir: "/nonexistent"}).WriteCPIO(&bytes.Buffer{}); err == nil {
		t.Error("a tree that isn't there: no error")
	}
}
