package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"lab/bench/input"
)

// Memory is what a group is charged for, in bytes. File includes tmpfs's pages,
// as both generations count them. Kernel is page tables, stacks, slabs. Peak is the
// most of all together since the group was made; 0 where the kernel doesn't keep it
// (v2 before Linux 5.19).
type Memory struct {
	Anon, File, Kernel, Peak int64
}

// ErrNoMemory is returned by Group.Memory where no memory controller counts.
var ErrNoMemory = errors.New("cgroup: no memory controller")

// fresh is how long a group's figures can lag behind: the kernel adds up what each
// processor counted every two seconds (mm/memcontrol.c, FLUSH_TIME), and sooner only
// where nobody else is adding up at that moment.
const fresh = 2200 * time.Millisecond

// Memory reads what the group is charged for. Where its processes are in a group below
// it, below names that: the kernel adds up what groups above are charged for only now
// and then. Figures whose sum isn't what the group is charged for in all, which the
// kernel always knows, are read again, for 2.2 s at most.
func (g *Group) Memory(below ...string) (m Memory, err error) {
	if g.mem == "" {
		return m, ErrNoMemory
	}
	dir := filepath.Join(append([]string{g.mem}, below...)...)
	all := "memory.usage_in_bytes"
	if g.memV2 {
		all = "memory.current"
	}
	for until := time.Now().Add(fresh); ; time.Sleep(20 * time.Millisecond) {
		if m, err = g.memory(dir); err != nil || time.Now().After(until) {
			return m, err
		}
		b, err := input.Kernel(filepath.Join(dir, all))
		if err != nil {
			return m, nil
		}
		charged, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
		// Each processor charges 64 pages in advance (MEMCG_CHARGE_BATCH).
		near := charged/100 + int64(64*os.Getpagesize()*runtime.NumCPU())
		if d := charged - m.Anon - m.File - m.Kernel; err != nil || max(d, -d) <= near {
			return m, nil
		}
	}
}

// memory reads a group's files once.
func (g *Group) memory(dir string) (m Memory, err error) {
	b, err := input.Kernel(filepath.Join(dir, "memory.stat"))
	if err != nil {
		return m, fmt.Errorf("cgroup: %w", err)
	}
	names := map[string]*int64{"total_rss": &m.Anon, "total_cache": &m.File}
	if g.memV2 {
		// "kernel" is there since Linux 5.18; before, it is its parts.
		names = map[string]*int64{"anon": &m.Anon, "file": &m.File, "kernel": &m.Kernel}
	}
	parts := int64(0)
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			continue
		}
		if at := names[name]; at != nil {
			*at = n
			delete(names, name)
		}
		switch name {
		case "kernel_stack", "pagetables", "percpu", "slab", "sock", "vmalloc":
			parts += n
		}
	}
	if g.memV2 {
		if _, missing := names["kernel"]; missing {
			m.Kernel = parts
			delete(names, "kernel")
		}
	} else if b, err := input.Kernel(filepath.Join(dir, "memory.kmem.usage_in_bytes")); err == nil {
		m.Kernel, _ = strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	}
	for name := range names {
		return m, fmt.Errorf("cgroup: memory.stat has no %s", name)
	}
	peak := "memory.max_usage_in_bytes"
	if g.memV2 {
		peak = "memory.peak"
	}
	if b, err := input.Kernel(filepath.Join(dir, peak)); err == nil {
		m.Peak, _ = strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	}
	return m, nil
}

// Processes lists the group's, as this PID namespace numbers them; or those of the
// group below it that below names.
func (g *Group) Processes(below ...string) ([]int, error) {
	dirs := g.Dirs()
	if len(dirs) == 0 {
		return nil, nil
	}
	b, err := input.Kernel(filepath.Join(append(append(dirs[:1:1], below...), "cgroup.procs")...))
	if err != nil {
		return nil, fmt.Errorf("cgroup: %w", err)
	}
	var out []int
	for f := range strings.FieldsSeq(string(b)) {
		// 0 is one that this namespace doesn't see.
		if pid, err := strconv.Atoi(f); err == nil && pid > 0 {
			out = append(out, pid)
		}
	}
	return out, nil
}

// ErrNoCPU is returned by Group.CPU where no hierarchy of the group's counts time.
var ErrNoCPU = errors.New("cgroup: nothing counts processor time")

// tick is the unit of cpuacct.stat, USER_HZ, which is 100 on all that Linux has.
const tick = time.Second / 100

// CPU reads how much processor time the group's processes, and those below it, have
// used, those that have ended included: cpu.stat of v2, which needs no controller, or
// cpuacct.stat of v1.
func (g *Group) CPU() (user, system time.Duration, err error) {
	for _, dir := range g.Dirs() {
		name, unit := "cpuacct.stat", tick
		if dir == g.v2 {
			name, unit = "cpu.stat", time.Microsecond
		}
		b, err := input.Kernel(filepath.Join(dir, name))
		if err != nil {
			continue // another hierarchy
		}
		found := 0
		for line := range strings.Lines(string(b)) {
			word, value, _ := strings.Cut(strings.TrimSpace(line), " ")
			n, err := strconv.ParseInt(value, 10, 64)
			switch {
			case err != nil:
			case word == "user" || word == "user_usec":
				user, found = time.Duration(n)*unit, found+1
			case word == "system" || word == "system_usec":
				system, found = time.Duration(n)*unit, found+1
			}
		}
		if found == 2 {
			return user, system, nil
		}
		return 0, 0, fmt.Errorf("cgroup: %s has no user and system time", filepath.Join(dir, name))
	}
	return 0, 0, ErrNoCPU
}
