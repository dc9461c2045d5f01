package kernel

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestCompareVersions(t *testing.T) {
	sorted := []string{"vmlinuz-5.10.0-9-amd64", "vmlinuz-5.10.0-28-amd64", "vmlinuz-6.1.0-9-cloud-amd64",
		"vmlinuz-6.1.0-56-cloud-amd64", "vmlinuz-6.8.0-31-generic", "vmlinuz-6.12.9", "vmlinuz-6.12.9+deb12"}
	got := slices.Clone(sorted)
	slices.Reverse(got)
	slices.SortFunc(got, compareVersions)
	if !slices.Equal(got, sorted) {
		t.Errorf("%q, want %q", got, sorted)
	}
}

func TestNewest(t *testing.T) {
	cache := t.TempDir()
	if _, err := Newest(cache); !errors.Is(err, ErrNone) {
		t.Errorf("empty cache: %v, want ErrNone", err)
	}
	want := testELF()
	image := bzImage(payloads(t)["zstd"], len(want))
	boot := filepath.Join(cache, "kernel/boot")
	modules := filepath.Join(cache, "kernel/lib/modules/6.1.0-56-cloud-amd64")
	for _, dir := range []string{boot, modules} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, b := range map[string][]byte{"vmlinuz-6.1.0-56-cloud-amd64": image, "vmlinuz-6.1.0-9-cloud-amd64": []byte("old")} {
		if err := os.WriteFile(filepath.Join(boot, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	k, err := Newest(cache)
	if err != nil {
		t.Fatal(err)
	}
	if k.Version != "6.1.0-56-cloud-amd64" || k.Modules != modules || k.Size != int64(len(image)) {
		t.Errorf("%+v", k)
	}
	// Unpacked once; whole, or not at all.
	for range 2 {
		path, err := k.ELF(cache)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("unpacked: %d bytes, %v", len(got), err)
		}
		if err := os.Remove(k.Image); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	left, _ := filepath.Glob(filepath.Join(cache, "kernel-elf/new-*"))
	if len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vmlinuz-9.9")
	if _, err := Named(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v, want ErrNotExist", err)
	}
	if err := os.WriteFile(path, []byte("no kernel"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Named(path); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), path) {
		t.Errorf("%v, want ErrFormat and the path", err)
	}
	if err := os.WriteFile(path, testELF(), 0o644); err != nil {
		t.Fatal(err)
	}
	if k, err := Named(path); err != nil || k.Version != "9.9" {
		t.Errorf("%+v, %v", k, err)
	}
}

// A kernel is found by its version in each folder of the cache, with the modules that were
// unpacked with it, or by a path; a version that leads elsewhere is none.
func TestFind(t *testing.T) {
	cache := t.TempDir()
	image := bzImage(payloads(t)["zstd"], len(testELF())) // says 6.1.0-56-cloud-amd64
	put := func(tree, version string, data []byte) string {
		t.Helper()
		name := filepath.Join(cache, tree, "boot", "vmlinuz-"+version)
		for _, dir := range []string{filepath.Dir(name), filepath.Join(cache, tree, "lib/modules", version)} {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
		return name
	}
	put("kernel", "6.1.0-56-cloud-amd64", image)
	own := put("kernels/mine", "6.12.9", testELF())
	put("kernel-full", "6.1.0-56-amd64", testELF())
	if got := Versions(cache); !slices.Equal(got, []string{"6.1.0-56-amd64", "6.1.0-56-cloud-amd64", "6.12.9"}) {
		t.Errorf("%q", got)
	}
	for name, want := range map[string]string{"": "6.1.0-56-cloud-amd64", FullName: "6.1.0-56-amd64", "6.12.9": "6.12.9", own: "6.12.9"} {
		k, err := Find(cache, name)
		if err != nil || k.Version != want || !strings.HasSuffix(k.Modules, "lib/modules/"+want) {
			t.Errorf("%q: %+v, %v", name, k, err)
		}
	}
	for _, name := range []string{"6.12", "..", "6.12.9 ", "vmlinuz-6.12.9"} {
		if k, err := Find(cache, name); err == nil || !strings.Contains(err.Error(), "6.12.9") {
			t.Errorf("%q: %+v, %v", name, k, err)
		}
	}
	// A stranger's header says a version that is a path.
	at := int(binary.LittleEndian.Uint16(image[offVersionString:])) + 0x200
	copy(image[at:], "..\x00")
	if k, err := Named(put("x", "7.7", image)); err != nil || k.Version != "7.7" {
		t.Errorf("%+v, %v", k, err)
	}
}
