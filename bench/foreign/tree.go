package foreign

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"lab/bench/proc"
)

// A process is one of the program's descendants, as it was found.
type process struct{ pid, parent int }

// tree lists the descendants of a process, parents first.
func tree(pid int) (out []process) {
	for queue := []int{pid}; len(queue) > 0 && len(out) < 1<<16; queue = queue[1:] {
		for _, n := range proc.Children(queue[0]) {
			out = append(out, process{n, queue[0]})
			queue = append(queue, n)
		}
	}
	return out
}

// signal sends a signal by a hold on the process: its number may have come to another.
func (p process) signal(sig unix.Signal) error {
	h, err := os.FindProcess(p.pid)
	if err != nil {
		return err
	}
	defer h.Release()
	// The same as was found: it has the same parent, or lost it and is init's.
	if s, ok := proc.Read(p.pid); !ok || s.Parent != p.parent && s.Parent != 1 {
		return os.ErrProcessDone
	}
	return h.Signal(sig)
}

// workload is the first process of the PID namespace that the program has made, or
// nil.
func (i *Instance) workload() *process {
	for _, p := range tree(i.PID()) {
		if f := strings.Fields(proc.Status(p.pid)["NSpid"]); len(f) > 1 && f[len(f)-1] == "1" {
			return &p
		}
	}
	return nil
}

// killTree kills all descendants of the program, and says whether there were any.
func (i *Instance) killTree() (any bool) {
	for _, p := range tree(i.PID()) {
		any = p.signal(unix.SIGKILL) == nil || any
	}
	return any
}
