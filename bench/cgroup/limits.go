package cgroup

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"lab/bench/input"
)

// Limits bound what an instance may use. A zero field means no limit. The
// virtual machine has the same ones as far as they make sense there: CPU as
// virtual CPUs, Memory as RAM.
type Limits struct {
	CPU       float64 // cores' worth of time in each period; 0.5 is half of one core
	CPUWeight int     // share of a contended CPU beside others', 1 to 10000; a group has [DefaultWeight]
	CPUSet    string  // which CPUs, as "0-1,3"
	Memory    int64   // bytes of anonymous and file memory together
	Swap      int64   // bytes of swap beyond Memory; without it a limit of Memory allows none
	Pids      int64   // processes and threads
	IO        IO      // of one block device
}

// IO bounds a block device's transfers. In v1 it counts only what the program
// itself makes the device do: buffered writes are the kernel's, later.
type IO struct {
	Device                string // "MAJOR:MINOR" of the whole disk
	ReadBytes, WriteBytes int64  // bytes a second
	ReadOps, WriteOps     int64  // operations a second
}

// DefaultWeight is the CPU weight of every group. As a limit it gives an instance
// a group and changes nothing in it; where no controller shares the CPU among
// groups, there is nothing that it would have to change.
const DefaultWeight = 100

// None says whether nothing is limited.
func (l Limits) None() bool { return l == Limits{} }

// needs are the controllers that l's limits are made with.
func (l Limits) needs() []string {
	var out []string
	for _, f := range l.files() {
		out = append(out, f.controller)
	}
	return out
}

// period is the span over which a CPU quota is counted, in microseconds: the
// kernel's default (sched-bwc.rst).
const period = 100_000

// A file is one limit as each generation wants it written.
type file struct {
	controller  string // as v2 calls it
	v1, v1value string
	v2, v2value string
	optional    bool // some kernels lack it
}

func (l Limits) files() []file {
	var out []file
	add := func(limited bool, f file) {
		if limited {
			out = append(out, f)
		}
	}
	itoa := func(n int64) string { return strconv.FormatInt(n, 10) }
	quota := itoa(max(1000, int64(l.CPU*period))) // the kernel takes 1 ms at least
	add(l.CPU > 0, file{"cpu", "cpu.cfs_quota_us", quota, "cpu.max", quota + " " + strconv.Itoa(period), false})
	// Both are linear; the defaults are 1024 and 100.
	add(l.CPUWeight > 0 && l.CPUWeight != DefaultWeight,
		file{"cpu", "cpu.shares", itoa(max(2, int64(l.CPUWeight)*1024/DefaultWeight)), "cpu.weight", strconv.Itoa(l.CPUWeight), false})
	add(l.CPUSet != "", file{"cpuset", "cpuset.cpus", l.CPUSet, "cpuset.cpus", l.CPUSet, false})
	add(l.Memory > 0, file{"memory", "memory.limit_in_bytes", itoa(l.Memory), "memory.max", itoa(l.Memory), false})
	// A limit that swap evades is none. v1 counts memory and swap together, v2 swap
	// alone; kernels without swap accounting have neither file.
	add(l.Memory > 0, file{"memory", "memory.memsw.limit_in_bytes", itoa(l.Memory + l.Swap), "memory.swap.max", itoa(l.Swap), true})
	add(l.Pids > 0, file{"pids", "pids.max", itoa(l.Pids), "pids.max", itoa(l.Pids), false})
	for _, x := range []struct {
		v1, v2 string
		n      int64
	}{
		{"read_bps", "rbps", l.IO.ReadBytes}, {"write_bps", "wbps", l.IO.WriteBytes},
		{"read_iops", "riops", l.IO.ReadOps}, {"write_iops", "wiops", l.IO.WriteOps},
	} {
		add(x.n > 0, file{"io", "blkio.throttle." + x.v1 + "_device", l.IO.Device + " " + itoa(x.n), "io.max", l.IO.Device + " " + x.v2 + "=" + itoa(x.n), false})
	}
	return out
}

// WholeDisk is the "MAJOR:MINOR" of a block device, or of the disk that the partition
// is on. An error wraps fs.ErrNotExist if the machine has no such device.
func WholeDisk(dev uint64) (string, error) {
	at := fmt.Sprintf("/sys/dev/block/%d:%d", unix.Major(dev), unix.Minor(dev))
	if _, err := os.Stat(at + "/partition"); err == nil {
		at += "/.."
	}
	b, err := os.ReadFile(at + "/dev")
	return strings.TrimSpace(string(b)), err
}

// v1Name is what v1 calls a controller.
func v1Name(controller string) string {
	if controller == "io" {
		return "blkio"
	}
	return controller
}

// ValidCPUSet says whether s is a list of CPUs as the kernel writes it.
func ValidCPUSet(s string) bool {
	for part := range strings.SplitSeq(s, ",") {
		a, b, span := strings.Cut(part, "-")
		from, err := strconv.ParseUint(a, 10, 16)
		if err != nil {
			return false
		}
		if to, err := strconv.ParseUint(b, 10, 16); span && (err != nil || to < from) {
			return false
		}
	}
	return true
}

// CheckCPUSet says what is wrong with a set that somebody typed: that it is
// none, or names a CPU that this machine doesn't have or has switched off.
func CheckCPUSet(s string) error {
	if !ValidCPUSet(s) {
		return errors.New("not a list of processors such as 0-1,3")
	}
	text, err := input.Kernel("/sys/devices/system/cpu/online")
	if err != nil {
		return nil // the kernel will say so
	}
	return checkCPUs(s, strings.TrimSpace(string(text)))
}

// checkCPUs is CheckCPUSet for a machine of which these are switched on.
func checkCPUs(s, online string) error {
	have := CPUs(online)
	for _, n := range CPUs(s) {
		if !slices.Contains(have, n) {
			return fmt.Errorf("there is no processor %d; this machine has %s", n, online)
		}
	}
	return nil
}

// CPUs lists the CPUs of a set that ValidCPUSet has passed, from the lowest on,
// each once; none for "".
func CPUs(set string) []int {
	var out []int
	for part := range strings.SplitSeq(set, ",") {
		a, b, span := strings.Cut(part, "-")
		from, err := strconv.Atoi(a)
		if err != nil {
			continue
		}
		to := from
		if span {
			to, _ = strconv.Atoi(b)
		}
		for i := from; i <= to; i++ {
			out = append(out, i)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
