// Package smaps reads what memory a process holds, from /proc/PID/smaps.
//
// PSS (proportional set size) counts a page that n processes share as 1/n of a
// page, so that the figures of several processes may be added.
//
// It is a leaf.
package smaps

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// A Process is what one process holds, in bytes.
type Process struct {
	PID  int
	Name string // the program's, as ps shows it: 15 characters
	PSS  int64

	// RAM is the PSS of a guest's memory among it, where it was asked for.
	RAM int64
}

// Read reads a process's PSS. Where ram isn't 0, it also finds the memory of a
// guest of that size among its mappings: private, not executable (QEMU's
// translated code may be as large), and at least as large.
func Read(pid int, ram int64) (Process, error) {
	p := Process{PID: pid}
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return p, fmt.Errorf("memory of a process: %w", err)
	}
	p.Name = strings.TrimSpace(string(name))
	file := "smaps_rollup" // the sums alone, since Linux 4.14
	if ram > 0 {
		file = "smaps"
	}
	f, err := os.Open(fmt.Sprintf("/proc/%d/%s", pid, file))
	if err != nil {
		return p, fmt.Errorf("memory of a process: %w", err)
	}
	defer f.Close()
	if p.PSS, p.RAM, err = sum(f, ram); err != nil {
		return p, fmt.Errorf("memory of process %d (%s): %w", pid, p.Name, err)
	}
	return p, nil
}

// sum adds up the mappings' PSS, and that of those that a guest's memory is.
func sum(r io.Reader, ram int64) (pss, guest int64, err error) {
	found, isRAM := false, false
	s := bufio.NewScanner(r)
	for s.Scan() {
		f := strings.Fields(s.Text())
		if len(f) < 2 {
			continue
		}
		if !strings.HasSuffix(f[0], ":") { // a mapping: "7f00-7f10 rw-p 0 00:00 0 …"
			a, b, ok := strings.Cut(f[0], "-")
			from, err1 := strconv.ParseUint(a, 16, 64)
			to, err2 := strconv.ParseUint(b, 16, 64)
			if !ok || err1 != nil || err2 != nil {
				return 0, 0, fmt.Errorf("not a mapping: %q", s.Text())
			}
			isRAM = ram > 0 && int64(to-from) >= ram && strings.HasPrefix(f[1], "rw-")
			found = found || isRAM
			continue
		}
		if f[0] != "Pss:" {
			continue
		}
		n, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("not a number: %q", s.Text())
		}
		pss += n << 10
		if isRAM {
			guest += n << 10
		}
	}
	if ram > 0 && !found && s.Err() == nil {
		return 0, 0, fmt.Errorf("no mapping is as large as the guest's memory, %d bytes", ram)
	}
	return pss, guest, s.Err()
}
