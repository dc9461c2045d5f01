package uml

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"sync"
	"time"
)

// User-mode Linux keeps its processes' registers by ptrace(2), in a room that until Linux
// 6.13 has a fixed size. On a processor with AMX they are larger (11,008 bytes), and the
// kernel takes back all of them or none (xstateregs_set in
// arch/x86/kernel/fpu/regset.c): the first process of such a guest ends by a fault, and
// its kernel panics. (Kept by a filter from asking for more than the registers of 1999 it
// boots, but programs of the C library fault at their start.)

// narrow says whether this machine's user-mode Linux can't run on its processor. It is
// found out once.
var narrow = sync.OnceValue(func() bool {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil || !tiles.Match(info) {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	said, err := exec.CommandContext(ctx, program, "--version").Output()
	return err == nil && old(string(said))
})

// Runs says whether linux.uml is here, and can run on this processor.
func Runs() bool {
	_, err := exec.LookPath(program)
	return err == nil && !narrow()
}

// tiles finds AMX among the flags of a processor.
var tiles = regexp.MustCompile(`(?m)^flags\s*:.*\bamx_tile\b`)

// versioned finds the version in what linux.uml --version says.
var versioned = regexp.MustCompile(`^(\d+)\.(\d+)`)

// old says whether a kernel's version is below 6.13; one that can't be read isn't.
func old(version string) bool {
	m := versioned.FindStringSubmatch(version)
	if m == nil {
		return false
	}
	major, _ := strconv.Atoi(m[1])
	minor, _ := strconv.Atoi(m[2])
	return major < 6 || major == 6 && minor < 13
}
