package probe

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// The bytes are the workload that published results name by digest: a change
// of them is a change of the experiment.
var digests = map[string]string{
	"amd64": "ee444fd4b5d21b4120d7efd40b27ac0c82cfd8c57ec4c37549de28299eff1243",
	"arm64": "8b4b36da46b29e7dde57f6e10a5fd146b77380943708852fb63f3cb4e811a18d",
}

func TestReadyBytes(t *testing.T) {
	for arch, want := range digests {
		b, err := Ready(arch)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(b)
		if got := hex.EncodeToString(sum[:]); got != want {
			t.Errorf("%s: digest %s, want %s", arch, got, want)
		}
		f, err := elf.NewFile(bytes.NewReader(b))
		if err != nil {
			t.Fatalf("%s: not an ELF: %v", arch, err)
		}
		if f.Entry != base+120 || len(f.Progs) != 1 || f.Progs[0].Filesz != uint64(len(b)) {
			t.Errorf("%s: entry %#x, segments %+v", arch, f.Entry, f.Progs)
		}
		if len(b) > 200 {
			t.Errorf("%s: %d bytes", arch, len(b))
		}
	}
	if _, err := Ready("vax"); err == nil {
		t.Error("no error for an unknown architecture")
	}
}

func TestReadyRuns(t *testing.T) {
	b, err := Ready(runtime.GOARCH)
	if err != nil {
		t.Skip(err)
	}
	name := filepath.Join(t.TempDir(), "ready")
	if err := os.WriteFile(name, b, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, arg := range []string{"lab-0123456789ab", "", "a much longer token than a UART's FIFO would take"} {
		out, err := exec.Command(name, arg).Output()
		if err != nil || string(out) != arg {
			t.Errorf("ready %q: %q, %v", arg, out, err)
		}
	}
}

// It says its word, and is still there a while later.
func TestStayRuns(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		b, err := Stay(arch)
		if err != nil {
			t.Fatal(err)
		}
		if f, err := elf.NewFile(bytes.NewReader(b)); err != nil || f.Progs[0].Filesz != uint64(len(b)) {
			t.Errorf("%s: %v", arch, err)
		}
	}
	b, err := Stay(runtime.GOARCH)
	if err != nil {
		t.Skip("SKIPPED: ", err)
	}
	name := filepath.Join(t.TempDir(), "stay")
	if err := os.WriteFile(name, b, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(name, "lab-0123456789ab")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := make([]byte, 16)
	if _, err := io.ReadFull(out, said); err != nil || string(said) != "lab-0123456789ab" {
		t.Errorf("stay: %q, %v", said, err)
	}
	time.Sleep(50 * time.Millisecond)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("it is gone: %v", err)
	}
	if err := cmd.Wait(); err == nil || err.Error() != "signal: terminated" {
		t.Errorf("it ended with %v", err)
	}
}
