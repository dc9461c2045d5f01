package main

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// Each pass has its own time, in order; what fails is the end of them. A file is looked
// into whole, and one that isn't there is an error that says so.
func TestPasses(t *testing.T) {
	n := 0
	took, err := timed(3, func() error {
		if n++; n == 2 {
			time.Sleep(20 * time.Millisecond)
		}
		return nil
	})
	if err != nil || n != 3 || len(took) != 3 {
		t.Fatalf("%d passes, %v: %v", n, took, err)
	}
	if s, err := strconv.ParseFloat(took[1].Value, 64); err != nil || s < 0.02 {
		t.Errorf("the second pass took %v s: %v", took[1].Value, err)
	}
	bad := errors.New("bad")
	if _, err := timed(3, func() error { return bad }); err != bad {
		t.Errorf("an error: %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, make([]byte, 10_000), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(lookInto(file), readFiles(file, 2), writeFile(file, 1)); err != nil {
		t.Error(err)
	}
	if st, err := os.Stat(file); err != nil || st.Size() != 1<<20 {
		t.Errorf("a MiB was written: %v", err)
	}
	if err := lookInto(file + "x"); !os.IsNotExist(err) {
		t.Errorf("no file: %v", err)
	}
}
