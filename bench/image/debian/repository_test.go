package debian

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"lab/bench/image"
)

// A package is installed from a repository in a folder, without a network; twice gives
// the same tree.
func TestInstall(t *testing.T) {
	for _, p := range []string{"mmdebstrap", "dpkg-deb"} {
		if _, err := exec.LookPath(p); err != nil {
			t.Skip("SKIPPED: no " + p + "; fix: apt-get install " + p)
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root; fix: sudo make test")
	}
	ctx, repository := context.Background(), t.TempDir()
	for _, d := range []string{repository, filepath.Dir(repository)} { // apt's own user reads it
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if HasRepository(repository) || index(ctx, repository) == nil {
		t.Error("an empty folder is a repository")
	}
	tree := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		name = filepath.Join(tree, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("usr/share/tiny/words", "hello\n")
	write("DEBIAN/control", "Package: tiny\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: a toy\n")
	if out, err := exec.Command("dpkg-deb", "--build", "--root-owner-group", tree, filepath.Join(repository, "tiny_1_all.deb")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := index(ctx, repository); err != nil || !HasRepository(repository) {
		t.Fatal(err)
	}
	var digests []string
	for range 2 {
		dir := t.TempDir()
		if err := install(ctx, "extract", dir, repository, []string{"tiny"}); err != nil {
			t.Fatal(err)
		}
		if text, err := os.ReadFile(filepath.Join(dir, "usr/share/tiny/words")); string(text) != "hello\n" {
			t.Fatalf("%q, %v", text, err)
		}
		d, _, err := image.Sum(dir)
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, d)
	}
	if digests[0] != digests[1] {
		t.Error(digests)
	}
	if err := install(ctx, "extract", t.TempDir(), repository, []string{"no-such-package"}); err == nil {
		t.Error("what isn't there was installed")
	}
}
