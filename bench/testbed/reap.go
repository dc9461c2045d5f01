package testbed

import (
	"bytes"
	"strconv"

	"lab/bench/input"

	"golang.org/x/sys/unix"
)

// Reap buries the orphans that fell to the worker as PID 1 and have ended: a
// daemon's forebears, for instance. It must not be called on the main thread's
// behalf while something forks there.
//
// It waits for each by its own PID: a wait for any child would take the exit
// status away from whoever else waits in this process. And it never touches a
// child that somebody waits for: the kernel hands orphans to the main thread of
// PID 1 (kernel/exit.c, find_new_reaper), and that thread forks nothing in the
// worker. Its list of children therefore holds orphans alone.
func Reap() {
	// Absent without CONFIG_PROC_CHILDREN: then the zombies stay until the
	// testbed ends, and cost an entry in the table of processes each.
	list, err := input.Kernel("/proc/self/task/1/children")
	if err != nil {
		return
	}
	for f := range bytes.FieldsSeq(list) {
		if pid, err := strconv.Atoi(string(f)); err == nil {
			unix.Wait4(pid, nil, unix.WNOHANG, nil) // 0 where it still lives
		}
	}
}
