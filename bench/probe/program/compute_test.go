package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
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
