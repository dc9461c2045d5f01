package scenarios

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// An instance that can't write what it is to doesn't say that it did.
func TestStorageWritesOrEnds(t *testing.T) {
	for _, w := range storageWrites {
		c := exec.Command("/bin/sh", "-c", w.script+"\nexit 0\n")
		c.Env = []string{"PATH=/nowhere", "tag=/nowhere", "token=x"}
		if err := c.Run(); (err == nil) != (w.script == "") {
			t.Errorf("write=%s: %v", w.name, err)
		}
	}
}

// What a folder's files take is counted, and what instances have left goes.
func TestBlocks(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, size int) {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, size), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("stays", 1<<20)
	before, err := blocks(dir, false)
	if err != nil || before < 1<<20 || before > 2<<20 {
		t.Fatalf("%d, %v", before, err)
	}
	write(storageNew+"1", 3<<20)
	for range 2 { // without and with
		if got, err := blocks(dir, true); err != nil || got > before+4<<20 {
			t.Errorf("%d, %v", got, err)
		}
	}
	if after, err := blocks(dir, false); err != nil || after != before {
		t.Errorf("%d after, %d before, %v", after, before, err)
	}
}
