package main

import (
	"fmt"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

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
		// Go's own reserve may have the same size, and no access to it.
		all := regexp.MustCompile(`(?m)^Size: +`+size+` kB$`).FindAllIndex(b, -1)
		var flags []string
		for _, at := range all {
			for l := range strings.Lines(string(b[at[1]:])) {
				if f, ok := strings.CutPrefix(l, "VmFlags:"); ok {
					flags = append(flags, f)
					break
				}
			}
		}
		if !slices.ContainsFunc(flags, func(f string) bool { return strings.Contains(f, " nh") }) {
			t.Errorf("%s: the mappings of %s KiB have the flags %q", name, size, flags)
		}
	}
}

// The search for primes is the processor's alone: while it runs no page is touched
// anew, and the kernel has next to nothing to do. So it says nothing of memory, of
// system calls or of the kernel (LAB.md, exercise 2.4).
//
// An interrupt that has nothing to do with it is on its account as well, and a machine
// that is at work has many: what it needs itself is what the quietest of a few
// rounds had.
func TestPrimesNeedNoKernel(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	said := ""
	for range 40 {
		faults, system, user := kernelsPart(t, func() {
			for range 50 {
				if oddPrimes(primesLimit) != primesBelow {
					t.Fatal("another number of primes")
				}
			}
		})
		if faults <= 50 && system*10 <= user+system {
			return
		}
		said = fmt.Sprintf("%d page faults, %v of the kernel's time next to %v", faults, system, user)
	}
	t.Errorf("not one of 40 rounds did without the kernel; the last: %s", said)
}

// kernelsPart says how many pages do touched anew, and how long the kernel and it
// itself were at work on this thread.
func kernelsPart(t *testing.T, do func()) (faults int64, system, user time.Duration) {
	t.Helper()
	var from, to unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &from); err != nil {
		t.Fatal(err)
	}
	do()
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &to); err != nil {
		t.Fatal(err)
	}
	return to.Minflt - from.Minflt, time.Duration(to.Stime.Nano() - from.Stime.Nano()), time.Duration(to.Utime.Nano() - from.Utime.Nano())
}
