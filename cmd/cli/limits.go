package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/cgroup"
	"lab/bench/request"
)

// limits checks the limits that were asked for.
func (f *execFlags) limits() (l bench.Limits, err error) {
	l = bench.Limits{CPU: f.cpus, CPUWeight: f.weight, CPUSet: f.cpuset, Pids: f.pids}
	if l.Memory, err = size(f.memory); err != nil {
		return l, Usagef("--memory %q: %w", f.memory, err)
	}
	if l.Memory != 0 && l.Memory < bench.LeastMemory {
		return l, Usagef("--memory %s: no program starts in that; the least that works is %dM", f.memory, bench.LeastMemory>>20)
	}
	if l.Swap, err = size(f.swap); err != nil {
		return l, Usagef("--swap %q: %w", f.swap, err)
	}
	if f.cpuset != "" {
		if err := cgroup.CheckCPUSet(f.cpuset); err != nil {
			return l, Usagef("--cpuset %q: %w", f.cpuset, err)
		}
	}
	switch {
	case f.cpus != 0 && !(f.cpus >= request.LeastCores && f.cpus <= request.MostCores): // NaN is neither
		return l, Usagef("--cpus %g: from %g to %d", f.cpus, request.LeastCores, request.MostCores)
	case f.pids < 0:
		return l, Usagef("--pids %d: a limit is above 0", f.pids)
	case f.weight < 0 || f.weight > 10000:
		return l, Usagef("--cpu-weight %d: from 1 to 10000", f.weight)
	case f.swap != "" && f.memory == "":
		return l, Usagef("--swap: it goes beyond --memory, which isn't limited")
	}
	for _, x := range []struct {
		flag  string
		words []string
		to    *int64
		parse func(string) (int64, error)
	}{
		{"device-read-bps", f.readBytes, &l.IO.ReadBytes, size},
		{"device-write-bps", f.writeBytes, &l.IO.WriteBytes, size},
		{"device-read-iops", f.readOps, &l.IO.ReadOps, count},
		{"device-write-iops", f.writeOps, &l.IO.WriteOps, count},
	} {
		for _, w := range x.words {
			i := strings.LastIndexByte(w, ':')
			if i <= 0 {
				return l, Usagef("--%s %q: not of the form DEVICE:LIMIT", x.flag, w)
			}
			n, err := x.parse(w[i+1:])
			if err == nil && n == 0 {
				err = errors.New("a limit is above 0")
			}
			if err != nil {
				return l, Usagef("--%s %q: %w", x.flag, w, err)
			}
			disk, err := wholeDisk(w[:i])
			if err != nil {
				return l, Usagef("--%s: %w", x.flag, err)
			}
			if l.IO.Device != "" && l.IO.Device != disk || *x.to != 0 {
				return l, Usagef("--%s %q: one device can be limited, once in each way", x.flag, w)
			}
			l.IO.Device, *x.to = disk, n
		}
	}
	return l, nil
}

// wholeDisk is the "MAJOR:MINOR" of a disk, or of the one that a partition is
// on: the kernel's queue, where it holds requests back, is the disk's.
func wholeDisk(name string) (string, error) {
	var st unix.Stat_t
	if err := unix.Stat(name, &st); err != nil {
		return "", &os.PathError{Op: "stat", Path: name, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFBLK {
		return "", fmt.Errorf("%s isn't a disk: lsblk lists those", name)
	}
	disk, err := cgroup.WholeDisk(st.Rdev)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s: this machine has no such disk", name)
	}
	return disk, err
}

// count reads a number above 0.
func count(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 {
		return 0, errors.New("not a number above 0")
	}
	return n, nil
}

// size reads "64M"; what wasn't given is 0.
func size(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	return request.ParseSize(s)
}
