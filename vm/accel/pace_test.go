package accel

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lab/bench/clock"
	"lab/bench/results"
	"lab/vm/kernel"
)

// The guest's code is that of its source.
func TestPaceCode(t *testing.T) {
	entry, ok := kernel.PVHEntry(PaceGuest())
	if !ok {
		t.Fatal("no PVH entry")
	}
	dir := t.TempDir()
	object, code := filepath.Join(dir, "pace.o"), filepath.Join(dir, "pace.bin")
	for _, c := range [][]string{
		{"as", "--64", "-o", object, "testdata/pace.s"},
		{"ld", "-m", "elf_x86_64", fmt.Sprintf("-Ttext=%#x", entry), "-e", "0", "--oformat=binary", "-o", code, object},
	} {
		if _, err := exec.LookPath(c[0]); err != nil {
			t.Skip("SKIPPED: no binutils; fix: apt-get install binutils")
		}
		if text, err := exec.Command(c[0], c[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
	}
	b, err := os.ReadFile(code)
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(b); got != strings.ReplaceAll(paceCode, "\n", "") {
		t.Errorf("testdata/pace.s is\n%s\nand the guest's code\n%s", got, paceCode)
	}
}

func TestPacer(t *testing.T) {
	var p Pacer
	at := clock.Time(0)
	for _, s := range []struct {
		text string
		ms   int
	}{{"A", 10}, {"aA", 10}, {"a", 20}, {"BbCcDdE", 1}, {"e", 1}} {
		for _, c := range []byte(s.text) {
			p.take([]byte{c}, at)
			if c < 'a' {
				at += clock.Time(time.Duration(s.ms) * time.Millisecond)
			}
		}
	}
	r := p.pace()
	if p.done || r.Unpaged < 1.6e6 || r.Unpaged > 3.3e6 || r.Calls < 15e3 || r.Calls > 17e3 || p.lack() != "in its test of system calls" {
		t.Errorf("%+v, %s", r, p.lack())
	}
	if p.take([]byte{'!'}, at); !p.done {
		t.Error("it isn't done")
	}
	// On a busy machine both ends of a round may come in one read, or its beginning late.
	p = Pacer{}
	at = 0
	for _, s := range []struct {
		text string
		ms   int
	}{{"A", 5}, {"aA", 10}, {"aAaA", 2}, {"aBb", 5}, {"CcC", 50}, {"cCc", 1}, {"D", 30}, {"dD", 1}, {"d", 1}} {
		p.take([]byte(s.text), at)
		at += clock.Time(time.Duration(s.ms) * time.Millisecond)
	}
	if r := p.pace(); r.Unpaged < 3.2e6 || r.Unpaged > 3.3e6 || r.Ring0 != 0 || r.Ring3 < 6e5 || r.Ring3 > 7e5 || r.Faults < 500 || r.Faults > 600 {
		t.Errorf("%+v", r)
	}
	// Whatever comes.
	p = Pacer{}
	p.take([]byte(strings.Repeat("A", 200)+"zZ\xff{@`"), 1)
	p.take([]byte("a"), 2)
	if (&Pacer{}).lack() != "before its first instruction" {
		t.Error((&Pacer{}).lack())
	}
}

// The guest runs in QEMU alone, and its rates are an emulator's.
func TestRunPace(t *testing.T) {
	q := qemu(t)
	file := filepath.Join(t.TempDir(), "pace.elf")
	if err := os.WriteFile(file, PaceGuest(), 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := runPace(context.Background(), q, file, "tcg", "qemu64", probeTimeout)
	if err != nil {
		t.Fatal(err)
	}
	r := p.pace()
	t.Logf("%+v", r)
	for name, rate := range map[string]float64{"unpaged": r.Unpaged, "ring 0": r.Ring0, "ring 3": r.Ring3} {
		if rate < 1e6 || rate > 1e11 {
			t.Errorf("%s: %.3g a second", name, rate)
		}
	}
	if r.Faults < 100 || r.Calls < 100 || r.Calls > r.Ring3 {
		t.Errorf("%+v", r)
	}
	if err := os.WriteFile(file, []byte("no guest"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := runPace(context.Background(), q, file, "tcg", "qemu64", probeTimeout); err == nil || !strings.Contains(err.Error(), "QEMU with tcg") {
		t.Errorf("no guest: %v", err)
	}
	// One that never ends costs its deadline and no more.
	if err := os.WriteFile(file, pvh([]byte{0xeb, 0xfe}), 0o644); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	p, err = runPace(context.Background(), q, file, "tcg", "qemu64", 300*time.Millisecond)
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 5*time.Second || p.current != 0 {
		t.Errorf("a guest that hangs: %v after %v", err, time.Since(began))
	}
}

const (
	hardware = "processor : 0\nflags\t\t: fpu vmx ssse3\n"
	nested   = "flags\t\t: fpu svm hypervisor\n"
	bare     = "flags\t\t: fpu hypervisor\n"
)

func TestKind(t *testing.T) {
	fast := results.Pace{Ring0: 3e9, Ring3: 3.1e9}
	for _, c := range []struct {
		pace    results.Pace
		cpuinfo string
		want    string
	}{
		{fast, hardware, results.KVMHardware},
		{fast, nested, results.KVMNested},
		{results.Pace{Ring0: 1.5e6, Ring3: 6e8}, bare, results.KVMParavirtual},
		{results.Pace{Ring0: 1.5e6, Ring3: 6e8}, "", results.KVMParavirtual},
		{results.Pace{Ring0: 9e7, Ring3: 1e8}, nested, results.KVMNested}, // an emulated machine's
		{fast, bare, ""},
		{results.Pace{}, bare, results.KVMParavirtual},
		{results.Pace{}, hardware, results.KVMHardware},
	} {
		if got := kindOf(c.pace, c.cpuinfo); got != c.want {
			t.Errorf("%+v, %q: %q, want %q", c.pace, c.cpuinfo, got, c.want)
		}
	}
}

// paced is a guest that came to some test's end, or to its own.
func paced(rates ...float64) (p Pacer) {
	copy(p.rates[:], rates)
	p.current, p.done = len(rates), len(rates) == len(paceTests)
	return p
}

func TestJudge(t *testing.T) {
	stopped := errors.New("its CPU was stopped")
	for _, c := range []struct {
		name    string
		kvm     Pacer
		err     error
		cpuinfo string
		use     string
		say     []string
	}{
		{"hardware", paced(3e9, 3e9, 3e9, 1e6, 2e7), nil, hardware, "kvm", []string{"KVM works (the CPU's own", "3 billion", "400 million when emulated", "1 million page faults"}},
		{"nested", paced(3e9, 3e9, 3e9, 2e5, 2e7), nil, nested, "kvm", []string{"KVM works (the CPU's virtualization, handed on"}},
		{"paravirtual", paced(1.5e6, 1.5e6, 6e8, 12400), stopped, bare, "tcg",
			[]string{"paravirtual", "slower than emulation", "1.5 million instructions a second, and 400 million when emulated", "in ring 3 600 million", "page faults", "stopped"}},
		{"incomplete", paced(3e9, 3e9, 3e9), stopped, hardware, "tcg", []string{"doesn't execute all", "it stopped in its test of instructions in ring 3"}},
		{"slow", paced(1e6), context.DeadlineExceeded, bare, "tcg", []string{"wasn't done after 4.0 s", "unusable"}},
		{"refused", Pacer{}, errors.New("failed to set MSR 0x10a"), hardware, "tcg", []string{"unusable", "before its first instruction (failed to set MSR 0x10a)"}},
	} {
		v := Verdict{Acceleration: results.Acceleration{Use: "tcg", TCGPace: results.Pace{Unpaged: 4e8, Ring0: 4e8}}}
		v.judge(c.kvm, 4*time.Second, c.err, c.cpuinfo)
		t.Log(v.Reason)
		if v.Use != c.use || !strings.HasSuffix(v.Reason, ".") {
			t.Errorf("%s: %+v", c.name, v)
		}
		for _, s := range c.say {
			if !strings.Contains(v.Reason, s) {
				t.Errorf("%s: %q doesn't say %q", c.name, v.Reason, s)
			}
		}
	}
}
