package main

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lab/bench"
	"lab/bench/request"
	"lab/bench/results"
	"lab/bench/runs"
)

// A folder of somebody's names kernels by paths: what isn't the kernel that its manifest
// tells by its digest isn't booted, and one that was saved beside it takes the place of one
// that isn't there.
func TestKernelsOfAFolder(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) (file, digest string) {
		t.Helper()
		file = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256([]byte(text))
		return file, "sha256:" + hex.EncodeToString(sum[:])
	}
	here, digest := write("vmlinuz-1.2.3", "\x7fELF here")
	secret, _ := write("secret", "not for others")
	_, gone := write("away", "\x7fELF saved")
	of := func(name, digest string) (*runs.Job, error) {
		run := &results.Run{Dir: dir, Manifest: results.Manifest{Cells: []results.Cell{{Env: "vm", Variant: map[string]string{"kernel": name},
			Settings: map[string]string{"kernel": name, results.KernelDigest: digest}}}}}
		j := &runs.Job{Cache: filepath.Join(dir, "cache"), Options: bench.Options{Request: request.Request{Variant: request.Settings{"kernel": {name, name + "x"}}}}}
		j.Options.Variant["kernel"] = request.Values{name}
		a := newApp(nil, os.Stdin, os.Stdout, os.Stderr)
		return j, a.useNamedKernels(run, j)
	}
	if j, err := of(here, digest); err != nil || len(j.Options.Kernels) > 0 {
		t.Errorf("the same kernel: %v, %v", j.Options.Kernels, err)
	}
	for name, x := range map[string]struct{ kernel, digest, says string }{
		"another kernel":          {here, gone, "isn't on this machine"},
		"no kernel":               {secret, gone, "isn't on this machine"},
		"a version":               {"9.9.9", gone, "isn't on this machine"},
		"no digest":               {secret, "", "isn't known by its digest"},
		"a digest that is a path": {secret, "sha256:../../../etc", "is no digest"},
	} {
		if _, err := of(x.kernel, x.digest); err == nil || !strings.Contains(err.Error(), x.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What was saved beside the run.
	saved, _ := write(results.SavedKernelOf(gone), "\x7fELF saved")
	if j, err := of("/boot/away", gone); err != nil || j.Options.Kernels["/boot/away"] != saved {
		t.Errorf("a saved kernel: %v, %v", j.Options.Kernels, err)
	}
	write(results.SavedKernelOf(gone), "\x7fELF another")
	if _, err := of("/boot/away", gone); err == nil || !strings.Contains(err.Error(), "the manifest says") {
		t.Errorf("a saved kernel that was changed: %v", err)
	}
}
