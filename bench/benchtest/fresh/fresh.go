// Package fresh is for tests alone: the programs that are embedded into the lab, of the
// sources that are here. What lies embedded need not have been generated yet, or may be
// of older sources, as go test doesn't build it anew.
package fresh

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Build makes one of the programs that are embedded into the lab from the sources that
// are here, as "make generate" does. It returns an error that wraps [exec.ErrNotFound]
// where there is no Go.
func Build(pkg string) ([]byte, error) {
	if _, err := exec.LookPath("go"); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "lab-built-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "program")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", out, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build %s: %w: %s", pkg, err, text)
	}
	return os.ReadFile(out)
}

// Check says whether a program that lies embedded is of the sources that are here; it is
// taken to be where there is no Go, and so no sources.
func Check(pkg string, embedded []byte) error {
	b, err := Build(pkg)
	if errors.Is(err, exec.ErrNotFound) {
		return nil
	}
	if err == nil && !bytes.Equal(b, embedded) {
		err = fmt.Errorf("what is embedded of %s is of other sources than those here; fix: make generate", pkg)
	}
	return err
}
