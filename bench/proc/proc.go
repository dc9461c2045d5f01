// Package proc reads what /proc says of processes (proc_pid_stat(5)).
//
// It is a leaf.
package proc

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"lab/bench/input"
)

// A Stat is the beginning of /proc/PID/stat.
type Stat struct {
	Name    string // the program's, as ps shows it: 15 bytes, of any kind
	State   byte   // 'R', 'S', 'Z', …
	Parent  int    // its PID
	Session int
	Began   string // when it was started, in ticks since the machine's boot
}

// Read reads a process's; false where there is none, or it ended meanwhile.
func Read(pid int) (Stat, bool) {
	b, err := input.Kernel("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return Stat{}, false
	}
	return parse(b)
}

// parse reads "pid (name) state ppid pgrp session …". The name may hold blanks and
// parentheses.
func parse(b []byte) (s Stat, ok bool) {
	from, to := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if from < 0 || to < from {
		return s, false
	}
	f := bytes.Fields(b[to+1:])
	if len(f) < 20 || len(f[0]) != 1 {
		return s, false
	}
	s = Stat{Name: string(b[from+1 : to]), State: f[0][0], Began: string(f[19])}
	var err1, err2 error
	s.Parent, err1 = strconv.Atoi(string(f[1]))
	s.Session, err2 = strconv.Atoi(string(f[3]))
	return s, err1 == nil && err2 == nil
}

// Status is /proc/PID/status, a line a key: "NSpid" has "4711 1", its numbers in all PID
// namespaces. None where there is no such process.
func Status(pid int) map[string]string {
	b, _ := input.Kernel("/proc/" + strconv.Itoa(pid) + "/status")
	out := map[string]string{}
	for line := range strings.Lines(string(b)) {
		if k, v, ok := strings.Cut(line, ":"); ok {
			out[k] = strings.Join(strings.Fields(v), " ")
		}
	}
	return out
}

// Children are the PIDs of a process's children, in no order; none without
// CONFIG_PROC_CHILDREN. The kernel knows them by the thread that made them
// (proc_pid_task_children(5)).
func Children(pid int) (out []int) {
	lists, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/children")
	for _, name := range lists {
		b, _ := input.Kernel(name)
		for f := range strings.FieldsSeq(string(b)) {
			if n, err := strconv.Atoi(f); err == nil {
				out = append(out, n)
			}
		}
	}
	return out
}

// PIDs are those of all processes that this one sees, in no order.
func PIDs() (out []int) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			out = append(out, pid)
		}
	}
	return out
}
