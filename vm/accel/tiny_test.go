package accel

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lab/vm/kernel"
)

func TestTiny(t *testing.T) {
	b := Tiny(0x01020304)
	f, err := elf.NewFile(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if f.Machine != elf.EM_386 || f.Type != elf.ET_EXEC || len(f.Progs) != 2 {
		t.Errorf("%v %v with %d segments", f.Machine, f.Type, len(f.Progs))
	}
	load := f.Progs[0]
	if load.Type != elf.PT_LOAD || load.Paddr != tinyBase || load.Filesz != uint64(len(b)) || load.Memsz != load.Filesz {
		t.Errorf("segment %+v of a file of %d bytes", load.ProgHeader, len(b))
	}
	entry, ok := kernel.PVHEntry(b)
	if !ok || uint64(entry) != f.Entry {
		t.Errorf("PVH entry %#x, %v, want %#x", entry, ok, f.Entry)
	}
	// As objdump -D -b binary -m i386 reads it; see the assembly in tiny.go.
	const want = "8b7318" + "66baf803" + "ac" + "84c0" + "7403" + "ee" + "ebf8" +
		"b904030201" + "49" + "75fd" + "b00a" + "ee" + "66ba0406" + "66b80020" + "66ef" + "fa" + "f4" + "ebfc"
	if got := hex.EncodeToString(b[entry-tinyBase:]); got != want {
		t.Errorf("code %s, want %s", got, want)
	}
	if !bytes.Contains(Tiny(0), []byte{0xb9, 1, 0, 0, 0}) {
		t.Error("a count of 0 would run for 2³² rounds")
	}
}

func qemu(t *testing.T) string {
	t.Helper()
	path, err := FindEmulator()
	if err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	return path
}

func TestProbe(t *testing.T) {
	qemu(t)
	cache := t.TempDir()
	v, err := Probe(context.Background(), cache)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: %s", v.Use, v.Reason)
	if v.Use != "kvm" && v.Use != "tcg" || v.TCGPace.Ring0 == 0 || !strings.HasSuffix(v.Reason, ".") || v.Device == "" {
		t.Errorf("%+v", v)
	}
	// The second time it is read.
	v.Reason = "as it was written down."
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(cache, "acceleration.json")
	if err := os.WriteFile(file, b, 0o644); err != nil {
		t.Fatal(err)
	}
	if again, err := Probe(context.Background(), cache); err != nil || again != v {
		t.Errorf("%+v, %v, want %+v", again, err, v)
	}
}

// A machine on which emulation is too slow for the probe has what KVM it has.
func TestProbeOfSlowMachine(t *testing.T) {
	late := fmt.Errorf("a guest under tcg: %w", context.DeadlineExceeded)
	for _, c := range []struct {
		open, kvm error
		use, say  string
	}{
		{nil, nil, "kvm", "3 billion instructions a second"},
		{nil, late, "tcg", "wasn't done after 4.0 s"},
		{os.ErrNotExist, nil, "tcg", "wasn't done after 15 s when emulated"},
	} {
		var v Verdict
		err := v.find(t.Context(), c.open, func(_ context.Context, accel, _ string, limit time.Duration) (Pacer, error) {
			if accel == "tcg" {
				return Pacer{}, late
			}
			return paced(3e9, 3e9, 3e9, 1e6, 2e7), c.kvm
		})
		if err != nil || v.Use != c.use || !strings.Contains(v.Reason, c.say) {
			t.Errorf("%v, %v: %v, %+v; want %s because %q", c.open, c.kvm, err, v, c.use, c.say)
		}
	}
}

// KVM of the CPU's own that seems slower than emulation is looked at once more; what
// is as slow again, or has no virtualization of the CPU's, is emulated.
func TestProbeLooksAgain(t *testing.T) {
	cpuinfo, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	own := virtualizes(string(cpuinfo))
	for _, c := range []struct {
		second float64
		use    string
	}{{4e9, map[bool]string{true: "kvm", false: "tcg"}[own]}, {2e6, "tcg"}} {
		var v Verdict
		looks := 0
		err := v.find(t.Context(), nil, func(_ context.Context, accel, _ string, _ time.Duration) (Pacer, error) {
			if accel == "tcg" {
				return paced(4e8, 4e8, 4e8, 1e6, 2e7), nil
			}
			if looks++; looks == 1 {
				return paced(3e9, 2e6, 3e9, 1e6, 2e7), nil
			}
			return paced(3e9, c.second, 3e9, 1e6, 2e7), nil
		})
		if want := map[bool]int{true: 2, false: 1}[own]; err != nil || v.Use != c.use || looks != want {
			t.Errorf("%g in the second look: %v, %s after %d, want %s after %d: %s", c.second, err, v.Use, looks, c.use, want, v.Reason)
		}
	}
}

func TestVirtualizes(t *testing.T) {
	for cpuinfo, want := range map[string]bool{"": false, "flags\t\t: fpu svm hypervisor\n": true, "model: svm\nflags\t: fpu vmx\n": true, "flags\t: fpu svmx\n": false} {
		if got := virtualizes(cpuinfo); got != want {
			t.Errorf("%q: %v", cpuinfo, got)
		}
	}
}
