//go:build amd64 || arm64

package cli

import (
	"strings"
	"syscall"
	"unsafe"

	"lab/bench/launch"
)

// runtimeWrite has runtime.overrideWrite's value: what Go's runtime writes by, mostly
// its last words. The program's first instructions set it, as the runtime may die
// before any of Go's code has run.
var runtimeWrite = writeOrDie

// Deaths of Go's runtime that are a limit's doing, by what it begins its trace with,
// and what is said in place of that.
const (
	noThread = "runtime: failed to create new OS thread"
	noMemory = "runtime: out of memory"

	noThreadSaid = "lab: " + launch.NoMoreProcesses + "\n"
	noMemorySaid = "lab: no memory is left here; fix: ulimit -v unlimited, or a machine with more\n"
)

// writeOrDie is write(2) for the runtime, which has its own conventions: n bytes at p,
// and a negative errno for an error. It may call nothing that needs a stack.
//
//go:nosplit
func writeOrDie(fd uintptr, p unsafe.Pointer, n int32) int32 {
	if fd == 2 {
		switch text := unsafe.String((*byte)(p), int(n)); {
		case strings.HasPrefix(text, noThread):
			dieWith(noThreadSaid)
		case strings.HasPrefix(text, noMemory):
			dieWith(noMemorySaid)
		}
	}
	done, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(p), uintptr(n))
	if errno != 0 {
		return -int32(errno)
	}
	return int32(done)
}

//go:nosplit
func dieWith(text string) {
	syscall.RawSyscall(syscall.SYS_WRITE, 2, uintptr(unsafe.Pointer(unsafe.StringData(text))), uintptr(len(text)))
	syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 125, 0, 0)
}
