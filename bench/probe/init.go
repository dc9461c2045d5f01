package probe

import (
	"bytes"
	"runtime"
	"unsafe"
)

// Init returns an executable that does the duties of a PID namespace's first
// process and runs a workload as its second:
//
//	init /path/of/workload argument…
//
// The kernel treats PID 1 unlike others (pid_namespaces(7)): a signal that it
// has no handler for doesn't end it, orphans become its children, and with it
// the namespace ends. A program that doesn't expect that can't be ended by
// Ctrl-C, and collects zombies. Init passes every signal on to the workload,
// reaps what becomes its child, and ends as the workload ends: with its exit
// status, or with 128 + the number of the signal that killed it; 126 or 127
// where it can't be executed or found.
//
// It is some 300 bytes for this machine's architecture, written in assembly
// beside this file and assembled with the lab. It lies in a program of its own
// because the lab is no fit first process: it is large, and it is the host's.
func Init() []byte {
	// The end is marked, as nothing says how long a function is.
	const most = 1024
	code := unsafe.Slice(initStart(), most)
	end := bytes.Index(code, []byte("END INIT"))
	if end < 0 {
		panic("probe: the init's end mark isn't where it was assembled")
	}
	return executable(machine(runtime.GOARCH), bytes.Clone(code[:end]))
}

// initStart returns the address of the init's first instruction.
func initStart() *byte
