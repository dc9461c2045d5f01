package vm

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lab/bench/results"
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
	path, err := findEmulator()
	if err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	return path
}

// The guest is executed: what it writes comes, and it takes longer the longer
// it counts.
func TestRunTiny(t *testing.T) {
	q := qemu(t)
	run := func(loops uint32) time.Duration {
		file := filepath.Join(t.TempDir(), "tiny.elf")
		if err := os.WriteFile(file, Tiny(loops), 0o644); err != nil {
			t.Fatal(err)
		}
		d, err := runTiny(context.Background(), q, file, "tcg", "qemu64", probeTimeout)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	short, long := run(1), run(probeLoops)
	t.Logf("1 loop %v, %d loops %v", short, probeLoops, long)
	if long < short {
		t.Errorf("1 loop took %v, %d loops %v", short, probeLoops, long)
	}
	bad := filepath.Join(t.TempDir(), "bad.elf")
	if err := os.WriteFile(bad, []byte("no guest"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := runTiny(context.Background(), q, bad, "tcg", "qemu64", probeTimeout); err == nil || !strings.Contains(err.Error(), "QEMU with tcg") {
		t.Errorf("no guest: %v", err)
	}
	// One that never ends costs its deadline and no more.
	loop := Tiny(1)
	loop[len(loop)-len(tinyRest)+1] = 0xeb // jnz becomes jmp
	if err := os.WriteFile(bad, loop, 0o644); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	_, err := runTiny(context.Background(), q, bad, "tcg", "qemu64", 300*time.Millisecond)
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 5*time.Second {
		t.Errorf("a guest that hangs: %v after %v", err, time.Since(began))
	}
}

func TestProbe(t *testing.T) {
	qemu(t)
	cache := t.TempDir()
	v, err := Probe(context.Background(), cache)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: %s", v.Use, v.Reason)
	if v.Use != "kvm" && v.Use != "tcg" || v.TCG == 0 || !strings.HasSuffix(v.Reason, ".") || v.Device == "" {
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
		{nil, nil, "kvm", "took 2.00 s with it and wasn't done after 15 s when emulated"},
		{nil, late, "tcg", "wasn't done after 15.0 s, and wasn't done after 15 s when emulated"},
		{os.ErrNotExist, nil, "tcg", "A small guest wasn't done after 15 s when emulated"},
	} {
		var v Verdict
		err := v.find(t.Context(), c.open, func(_ context.Context, accel, _ string, limit time.Duration) (time.Duration, error) {
			if accel == "tcg" {
				return 0, late
			}
			if limit != probeTimeout {
				t.Errorf("KVM's limit is %v", limit)
			}
			return 2 * time.Second, c.kvm
		})
		if err != nil || v.Use != c.use || !strings.Contains(v.Reason, c.say) {
			t.Errorf("%v, %v: %v, %+v; want %s because %q", c.open, c.kvm, err, v, c.use, c.say)
		}
	}
}

func TestJudge(t *testing.T) {
	deadline := errors.Join(errors.New("QEMU with kvm"), context.DeadlineExceeded)
	for _, c := range []struct {
		kvm  time.Duration
		err  error
		use  string
		say  string
		took float64
	}{
		{80 * time.Millisecond, nil, "kvm", "KVM works: a small guest took 0.08 s with it and 0.50 s", 0.08},
		{5 * time.Second, nil, "tcg", "slower than emulation", 5},
		{0, deadline, "tcg", "wasn't done after 3.0 s", 0},
		{0, errors.New("failed to set MSR 0x10a"), "tcg", "(failed to set MSR 0x10a)", 0},
	} {
		v := Verdict{Acceleration: results.Acceleration{Use: "tcg", TCG: 0.5}}
		v.judge(c.kvm, 3*time.Second, c.err)
		if v.Use != c.use || !strings.Contains(v.Reason, c.say) || v.KVM != c.took {
			t.Errorf("%v, %v: %+v, want %s because %q", c.kvm, c.err, v, c.use, c.say)
		}
	}
}
