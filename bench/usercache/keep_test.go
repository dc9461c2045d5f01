package usercache

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// A file is built once, is there whole, and a failed attempt leaves nothing.
func TestKeep(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "kept")
	path := filepath.Join(dir, "a")
	broken := errors.New("broken")
	if _, err := Keep(path, func(file string) error {
		os.WriteFile(file, []byte("ha"), 0o600)
		return broken
	}); !errors.Is(err, broken) {
		t.Errorf("%v, want build's error", err)
	}
	for range 2 {
		built := 0
		got, err := Keep(path, func(file string) error { built++; return os.WriteFile(file, []byte("whole"), 0o600) })
		if b, rerr := os.ReadFile(path); got != path || err != nil || rerr != nil || string(b) != "whole" {
			t.Errorf("%s, %v: %q, %v", got, err, b, rerr)
		}
		if names, _ := os.ReadDir(dir); len(names) != 1 || built > 1 {
			t.Errorf("%v in the folder after %d builds", names, built)
		}
	}
	if _, err := Keep(path, func(string) error { return broken }); err != nil {
		t.Errorf("it was built again: %v", err)
	}
}
