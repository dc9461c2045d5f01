package disk

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// QEMU's own tool finds no fault with a layer.
func TestOverlay(t *testing.T) {
	name := filepath.Join(t.TempDir(), "layer")
	if err := Overlay(name, 2<<30); err != nil {
		t.Fatal(err)
	}
	if Overlay(name, 1<<60) == nil {
		t.Error("a disk of an exbibyte has a layer")
	}
	if _, err := exec.LookPath("qemu-img"); err != nil {
		t.Skipf("SKIPPED: %v; fix: apt-get install qemu-utils", err)
	}
	for _, args := range [][]string{{"check", name}, {"info", name}} {
		out, err := exec.Command("qemu-img", args...).CombinedOutput()
		if err != nil || args[0] == "info" && !strings.Contains(string(out), "2 GiB") {
			t.Errorf("qemu-img %s: %v: %s", args[0], err, out)
		}
	}
}
