package main

import (
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"lab/bench/probe"
)

// Children of the kernels are this program: see self.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "echo" {
		echo()
		return
	}
	os.Exit(m.Run())
}

// Each kernel gives a value of a size that a machine can have, and gives back
// what it took. The bounds are wide: emulated machines are a hundred times as
// slow.
func TestKernels(t *testing.T) {
	ready, err := probe.Ready(runtime.GOARCH)
	if err != nil {
		t.Skip(err)
	}
	// exec starts the program that lies beside this one.
	beside := filepath.Join(filepath.Dir(self()), "ready")
	if err := os.WriteFile(beside, ready, 0o755); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(beside)
	between := map[string][2]float64{
		"integer": {1e6, 1e10}, "float": {1e6, 1e12}, "triad": {1e7, 1e13}, "chase": {1e-10, 1e-5},
		"syscall": {1e-9, 1e-4}, "fault": {1e-8, 1e-3}, "switch": {1e-8, 1e-2}, "exec": {1e-6, 1},
		"timer": {1e-9, 1e-1}, "ipi": {1e-8, 1e-1},
		"getpid": {1e-9, 1e-4}, "send": {1e-8, 1e-3}, "send-96k": {1e-7, 1e-2}, "open": {1e-8, 1e-2},
		"read-4k": {1e-8, 1e-3}, "read-40k": {1e-7, 1e-2}, "read-1m": {1e-6, 1e-1}, "write-4k": {1e-8, 1e-3}, "write-40k": {1e-7, 1e-2}, "write-1m": {1e-6, 1e-1},
		"mmap-4k": {1e-8, 1e-3}, "mmap-1m": {1e-8, 1e-3}, "map-fault": {1e-9, 1e-3}, "fork": {1e-6, 1}, "fork-48m": {1e-5, 10},
		"select-10": {1e-8, 1e-3}, "poll-10": {1e-8, 1e-3}, "epoll-10": {1e-8, 1e-3},
		"select-1000": {1e-7, 1e-1}, "poll-1000": {1e-7, 1e-1}, "epoll-1000": {1e-7, 1e-1},
		"linpack": {1e6, 1e13}, "stream-copy": {1e7, 1e13}, "stream-scale": {1e7, 1e13}, "stream-add": {1e7, 1e13}, "updates": {1e4, 1e11},
		"primes": {1, 1e6}, "words-write": {1e7, 1e13}, "words-read": {1e7, 1e13},
	}
	for _, k := range slices.Concat(kernels, asked, calls, hpcc) {
		r, err := k.open()
		if err != nil {
			t.Errorf("%s: %v", k.name, err)
			continue
		}
		if r.skip != "" {
			t.Logf("%s: %s", k.name, r.skip)
			continue
		}
		const budget = 5 * time.Millisecond
		m, err := newMeter(budget, r.work)
		if err != nil {
			t.Fatalf("%s: %v", k.name, err)
		}
		began := now()
		rounds, v, err := m.run(budget)
		if err != nil || rounds < 1 || now()-began < int64(budget) {
			t.Fatalf("%s: %d rounds in %d ns, %v", k.name, rounds, now()-began, err)
		}
		if r.value != nil {
			v = r.value(v)
		}
		if b := between[k.name]; !(v > b[0] && v < b[1]) {
			t.Errorf("%s: %v isn't between %v and %v", k.name, v, b[0], b[1])
		}
		if r.check != nil {
			if err := r.check(); err != nil {
				t.Errorf("%s: %v", k.name, err)
			}
		}
		if r.close != nil {
			r.close()
		}
	}
}

// The solver solves: another right side than that of its own check.
func TestSolve(t *testing.T) {
	s := newSystem(3)
	s.a = [][]float64{{0, 2, 1}, {1, -2, -3}, {-1, 1, 2}} // wants a pivot at once
	s.b = []float64{-8, 0, 3}
	if err := s.solve(); err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{-4, -5, 2} {
		if math.Abs(s.x[i]-want) > 1e-12 {
			t.Errorf("x = %v", s.x)
			break
		}
	}
	if r := s.residual(); !(r < 16) {
		t.Errorf("residual %v", r)
	}
	s.x[0]++
	if r := s.residual(); r < 16 {
		t.Errorf("a wrong solution has residual %v", r)
	}
	s.a = [][]float64{{1, 2, 3}, {2, 4, 6}, {1, 1, 1}}
	if err := s.solve(); err == nil {
		t.Error("a singular system is solved")
	}
}

// The search counts what a sieve leaves.
func TestOddPrimes(t *testing.T) {
	const limit = 2000
	var composite [limit]bool
	want := uint64(0)
	for c := 2; c < limit; c++ {
		if got := oddPrimes(uint64(c)); got != want {
			t.Fatalf("%d primes from 3 to below %d, not %d", got, c, want)
		}
		if composite[c] {
			continue
		}
		if c > 2 {
			want++
		}
		for m := c * c; m < limit; m += c {
			composite[m] = true
		}
	}
}

// Each word of a block is written, and looked at.
func TestWords(t *testing.T) {
	block := make([]eight, 3)
	countDown(block)
	for i := range 24 {
		if w := block[i/8][i%8]; w != uint64(24-i) {
			t.Errorf("word %d is %d", i, w)
		}
	}
	if !counted(block) {
		t.Error("it isn't what was written")
	}
	for i := range 24 {
		block[i/8][i%8]++
		if counted(block) {
			t.Errorf("word %d is wrong and isn't noticed", i)
		}
		block[i/8][i%8]--
	}
}

// The chain of chase has every cache line in it, once.
func TestChaseIsOneCycle(t *testing.T) {
	r, err := chase()
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	const n = chaseSize / cacheLine
	for step := 1; step <= n; step++ {
		r.work(1)
		if (sink == 0) != (step == n) {
			t.Fatalf("at %d after %d of %d steps", sink, step, n)
		}
	}
}

func TestOptions(t *testing.T) {
	o, err := parse([]string{"a=1", "b=x", "c="})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := o.number("a", 5); n != 1 || err != nil {
		t.Errorf("a: %d, %v", n, err)
	}
	if n, err := o.number("none", 5); n != 5 || err != nil {
		t.Errorf("none: %d, %v", n, err)
	}
	for _, name := range []string{"b", "c"} {
		if _, err := o.number(name, 5); err == nil {
			t.Errorf("%s is a number", name)
		}
	}
	if _, err := parse([]string{"word"}); err == nil {
		t.Error("a word is name=value")
	}
}

// The program stays small: a guest unpacks it before it does anything.
func TestLinksLittle(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, pkg := range []string{"net", "encoding/json", "os/exec"} {
		if strings.Contains("\n"+string(out), "\n"+pkg+"\n") {
			t.Errorf("it links %s", pkg)
		}
	}
}

func TestMeminfo(t *testing.T) {
	m := meminfo()
	if m["MemTotal"] < 16<<20 || m["MemTotal"]%1024 != 0 || m["MemFree"] > m["MemTotal"] {
		t.Errorf("%v", m)
	}
}
