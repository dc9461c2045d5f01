package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"lab/bench/probe/guestinit/wire"
)

const cgroups = "/sys/fs/cgroup"

// A group keeps a program's limits: the same controls that a container has, in
// the guest's own kernel.
type group struct {
	dir  string // "" where nothing is limited
	ooms int64  // kills for want of memory in the whole guest, before
}

func newGroup(id uint32, b wire.RunBody) (*group, error) {
	g := &group{ooms: counter("/proc/vmstat", "oom_kill")}
	if b.Memory == 0 && b.Pids == 0 && b.CPU == 0 {
		return g, nil
	}
	if err := write(cgroups+"/cgroup.subtree_control", "+cpu +memory +pids"); err != nil {
		return g, err
	}
	dir := filepath.Join(cgroups, fmt.Sprintf("lab-%d", id))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return g, err
	}
	g.dir = dir
	var errs []error
	if b.Memory > 0 {
		errs = append(errs, write(dir+"/memory.max", strconv.FormatInt(b.Memory, 10)))
		// The program as a whole, as a machine without memory would end;
		// else one process of it dies and the rest goes on.
		errs = append(errs, write(dir+"/memory.oom.group", "1"))
	}
	if b.Pids > 0 {
		errs = append(errs, write(dir+"/pids.max", strconv.FormatInt(b.Pids, 10)))
	}
	if b.CPU > 0 {
		const period = 100_000 // microseconds, the kernel's default
		errs = append(errs, write(dir+"/cpu.max", fmt.Sprintf("%d %d", int64(b.CPU*period), period)))
	}
	return g, errors.Join(errs...)
}

// write writes a control file that is there already.
func write(name, value string) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

// oomKilled says whether the kernel killed something for want of memory.
func (g *group) oomKilled() bool {
	if g.dir != "" {
		return counter(g.dir+"/memory.events", "oom_kill") > 0
	}
	return counter("/proc/vmstat", "oom_kill") > g.ooms
}

// remove kills what is left in the group; the folder goes when it can.
func (g *group) remove() {
	if g == nil || g.dir == "" {
		return
	}
	write(g.dir+"/cgroup.kill", "1")
	unix.Rmdir(g.dir) // EBUSY while one is dying: a guest has few groups
}

// counter reads "name value" from a file of such lines; 0 where it isn't there.
func counter(file, name string) int64 {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(b) {
		if f := bytes.Fields(line); len(f) == 2 && string(f[0]) == name {
			n, _ := strconv.ParseInt(string(f[1]), 10, 64)
			return n
		}
	}
	return 0
}
