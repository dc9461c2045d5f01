package main

import (
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// What works on memory has pages of the one size, whatever the kernel gives
// unasked: the mapping's flags say "nh".
func TestSmallPages(t *testing.T) {
	if b, err := os.ReadFile("/sys/kernel/mm/transparent_hugepage/enabled"); err != nil || len(b) == 0 {
		t.Skip("SKIPPED: this kernel has no huge pages to give unasked")
	}
	for name, open := range map[string]func() (*running, error){"triad": triad, "chase": chase} {
		r, err := open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile("/proc/self/smaps")
		r.close()
		if err != nil {
			t.Fatal(err)
		}
		size := map[string]string{"triad": "49152", "chase": "131072"}[name]
		at := regexp.MustCompile(`(?m)^Size: +` + size + ` kB$`).FindIndex(b)
		if at == nil {
			t.Fatalf("%s: no mapping of %s KiB", name, size)
		}
		flags := ""
		for l := range strings.Lines(string(b[at[1]:])) {
			if f, ok := strings.CutPrefix(l, "VmFlags:"); ok {
				flags = f
				break
			}
		}
		if !strings.Contains(flags, " nh") {
			t.Errorf("%s: the mapping of %s KiB has the flags %q", name, size, flags)
		}
	}
}

// The search for primes is the processor's alone: while it runs no page is touched
// anew, and the kernel has next to nothing to do. So it says nothing of memory, of
// system calls or of the kernel (LAB.md, exercise 2.4).
func TestPrimesNeedNoKernel(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var from, to unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &from); err != nil {
		t.Fatal(err)
	}
	for range 50 {
		if oddPrimes(primesLimit) != primesBelow {
			t.Fatal("another number of primes")
		}
	}
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &to); err != nil {
		t.Fatal(err)
	}
	user, system := to.Utime.Nano()-from.Utime.Nano(), to.Stime.Nano()-from.Stime.Nano()
	if faults := to.Minflt - from.Minflt; faults > 50 || system*10 > user+system {
		t.Errorf("%d page faults, %v ms of the kernel's time next to %v", faults, system/1e6, user/1e6)
	}
}
