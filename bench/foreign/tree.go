package foreign

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A process is one of the program's descendants, as it was found.
type process struct{ pid, parent int }

// tree lists the descendants of a process, parents first. The kernel knows children by
// the thread that made them (proc_pid_task_children(5)).
func tree(pid int) (out []process) {
	for queue := []int{pid}; len(queue) > 0 && len(out) < 1<<16; queue = queue[1:] {
		lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", queue[0]))
		for _, name := range lists {
			b, _ := os.ReadFile(name)
			for f := range strings.FieldsSeq(string(b)) {
				if n, err := strconv.Atoi(f); err == nil {
					out = append(out, process{n, queue[0]})
					queue = append(queue, n)
				}
			}
		}
	}
	return out
}

// status reads a line of /proc/PID/status.
func (p process) status(name string) string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// signal sends a signal by a hold on the process: its number may have come to another.
func (p process) signal(sig unix.Signal) error {
	fd, err := unix.PidfdOpen(p.pid, 0)
	if err == nil {
		defer unix.Close(fd)
		// The same as was found: it has the same parent, or lost it and is init's.
		if parent := p.status("PPid"); parent != strconv.Itoa(p.parent) && parent != "1" {
			return os.ErrProcessDone
		}
		err = unix.PidfdSendSignal(fd, sig, nil, 0)
	}
	if err == unix.ESRCH {
		return os.ErrProcessDone
	}
	return os.NewSyscallError("signal", err)
}

// workload is the first process of the PID namespace that the program has made, or
// nil. /proc/PID/status has a process's numbers in all namespaces: "NSpid: 4711 1".
func (i *Instance) workload() *process {
	for _, p := range tree(i.PID()) {
		if f := strings.Fields(p.status("NSpid")); len(f) > 1 && f[len(f)-1] == "1" {
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
