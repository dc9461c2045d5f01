package foreign

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/input"
	"lab/bench/proc"
	"lab/bench/testbed"
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

// tree lists the descendants of the program, and of what it left to hold the workload.
func (i *Instance) tree() []process {
	all := tree(i.PID())
	if m := i.monitor(); m != 0 {
		all = append(all, tree(m)...)
	}
	return all
}

// monitor is the PID of the process that the program left to hold the workload, while it
// runs; else 0. It is nobody's child, which in a testbed is its first process's.
func (i *Instance) monitor() int {
	name := i.env.maker.Monitor
	if name == "" {
		return 0
	}
	for _, pid := range proc.Children(os.Getpid()) {
		if p, ok := proc.Read(pid); ok && p.Name == name {
			if args, err := input.Kernel(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil && strings.Contains(string(args), i.order.ID) {
				return pid
			}
		}
	}
	return 0
}

// outlived waits until that process has ended, too, for a time.
func (i *Instance) outlived() {
	for end := time.Now().Add(EndWithin); i.monitor() != 0 && time.Now().Before(end); time.Sleep(500 * time.Microsecond) {
		testbed.Reap()
	}
}

// workload is the first process of the PID namespace that the program has made, or
// nil.
func (i *Instance) workload() *process {
	for _, p := range i.tree() {
		if f := strings.Fields(proc.Status(p.pid)["NSpid"]); len(f) > 1 && f[len(f)-1] == "1" {
			return &p
		}
	}
	return nil
}

// killTree kills all descendants of the program, and says whether there were any.
func (i *Instance) killTree() (any bool) {
	for _, p := range i.tree() {
		any = p.signal(unix.SIGKILL) == nil || any
	}
	return any
}
