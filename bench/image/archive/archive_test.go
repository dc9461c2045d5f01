package archive

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"lab/bench/image"
)

// full is a tree with everything that an image may have.
func full(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"": 0o755, "bin": 0o755, "tmp": 0o777 | os.ModeSticky, "locked": 0o500} {
		d := filepath.Join(dir, name)
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
		if name == "locked" {
			if err := os.WriteFile(filepath.Join(d, "file"), nil, 0o400); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(d, mode); err != nil {
			t.Fatal(err)
		}
	}
	for name, mode := range map[string]os.FileMode{"bin/sh": 0o755, "bin/su": 0o755 | os.ModeSetuid, "bin/wall": 0o755 | os.ModeSetgid, "empty": 0o644} {
		n := filepath.Join(dir, name)
		if err := os.WriteFile(n, []byte(strings.Repeat(name, len(name)*1000)), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(n, mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../../outside", filepath.Join(dir, "bin/link")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// What was saved and unpacked is the same image, and saved again the same bytes.
func TestArchive(t *testing.T) {
	r, err := image.Open(full(t))
	if err != nil {
		t.Fatal(err)
	}
	var first, second bytes.Buffer
	if err := Write(r.Dir, &first); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := Unpack(bytes.NewReader(first.Bytes()), dir, os.Getuid(), os.Getgid()); err != nil {
		t.Fatal(err)
	}
	again, err := image.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if again.Digest != r.Digest || again.Size != r.Size {
		t.Errorf("%+v, and it was %+v", again, r)
	}
	if err := Write(again.Dir, &second); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("saved again it has other bytes")
	}
	if err := Unpack(bytes.NewReader(first.Bytes()), dir, os.Getuid(), os.Getgid()); err == nil {
		t.Error("it was unpacked over what is there")
	}
	// Cut off or damaged anywhere: an error, never another image.
	for _, at := range []int{0, 5, first.Len() / 3, first.Len() / 2, first.Len() - 3} {
		if err := Unpack(bytes.NewReader(first.Bytes()[:at]), t.TempDir(), os.Getuid(), os.Getgid()); err == nil {
			t.Errorf("cut off after %d bytes it is unpacked", at)
		}
		bad := bytes.Clone(first.Bytes())
		bad[max(at, 10)] ^= 0x10
		d := t.TempDir()
		if err := Unpack(bytes.NewReader(bad), d, os.Getuid(), os.Getgid()); err == nil {
			if sum, _, err := image.Sum(d); err != nil || sum != r.Digest {
				t.Errorf("damaged at %d it is unpacked as another image", at)
			}
		}
	}
}

func TestArchiveRefuses(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Write(dir, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "pipe") {
		t.Error(err)
	}
	for name, h := range map[string]*tar.Header{
		"above":       {Name: "../x", Typeflag: tar.TypeReg, Mode: 0o644},
		"absolute":    {Name: "/x", Typeflag: tar.TypeReg, Mode: 0o644},
		"device":      {Name: "null", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3, Mode: 0o666},
		"hard link":   {Name: "x", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"},
		"many bytes":  {Name: "x", Typeflag: tar.TypeReg, Size: image.MaxUnpacked + 1, Mode: 0o644},
		"parent link": {Name: "link/x", Typeflag: tar.TypeReg, Mode: 0o644},
	} {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		w := tar.NewWriter(z)
		outside := t.TempDir()
		if err := w.WriteHeader(&tar.Header{Name: "link", Typeflag: tar.TypeSymlink, Linkname: outside}); err != nil {
			t.Fatal(err)
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		w.Flush()
		z.Close()
		if err := Unpack(&b, t.TempDir(), os.Getuid(), os.Getgid()); err == nil || !strings.Contains(err.Error(), "entry 2") {
			t.Errorf("%s: %v", name, err)
		}
		if found, _ := os.ReadDir(outside); len(found) > 0 {
			t.Errorf("%s: %v was made outside", name, found)
		}
	}
}

// Any bytes: an image, or an error; nothing outside of the folder.
func FuzzUnpack(f *testing.F) {
	var b bytes.Buffer
	dir := f.TempDir()
	os.WriteFile(filepath.Join(dir, "a"), []byte("b"), 0o644)
	if err := Write(dir, &b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	z, _ := gzip.NewReader(bytes.NewReader(b.Bytes()))
	var plain bytes.Buffer
	plain.ReadFrom(z)
	f.Add(plain.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<16 {
			return
		}
		parent := t.TempDir()
		inside := filepath.Join(parent, "inside")
		if err := os.Mkdir(inside, 0o755); err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(data, []byte{0x1f, 0x8b}) { // the archive itself
			var z bytes.Buffer
			w := gzip.NewWriter(&z)
			w.Write(data)
			w.Close()
			data = z.Bytes()
		}
		Unpack(bytes.NewReader(data), inside, os.Getuid(), os.Getgid())
		if found, _ := os.ReadDir(parent); len(found) != 1 {
			t.Fatalf("%v was made outside", found)
		}
	})
}
