package bench

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"lab/bench/cgroup"
	"lab/bench/smaps"
)

// Cost is what something costs the host at a moment. The views overlap, and are
// never added up.
type Cost struct {
	Group     *cgroup.Memory  // what its cgroup is charged for; nil where it has none
	Processes []smaps.Process // of the host
}

// PSS is that of all processes, and how much of it is guests' RAM.
func (c Cost) PSS() (all, ram int64) {
	for _, p := range c.Processes {
		all += p.PSS
		ram += p.RAM
	}
	return all, ram
}

// AddGroup reads what a cgroup is charged for, or those below it (see
// [cgroup.Group.Memory]); one that counts no memory leaves Group nil.
func (c *Cost) AddGroup(g *cgroup.Group, below ...string) error {
	m, err := g.Memory(below...)
	switch {
	case err == nil:
		c.Group = &m
	case !errors.Is(err, cgroup.ErrNoMemory):
		return err
	}
	return nil
}

// AddProcesses reads what processes of the host have.
func (c *Cost) AddProcesses(pids ...int) error {
	for _, pid := range pids {
		x, err := smaps.Read(pid, 0)
		if err != nil {
			return err
		}
		c.Processes = append(c.Processes, x)
	}
	return nil
}

// HostMemory reads the machine's /proc/meminfo, in bytes. Its MemAvailable has
// the free pages that the kernel keeps at hand for each CPU, too: they are as
// available as others, and newer kernels keep a gigabyte of them, so that what
// takes some hundred MiB after somebody else gave as much back would seem to
// cost nothing.
func HostMemory() (map[string]int64, error) {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return nil, fmt.Errorf("host memory: %w", err)
	}
	defer f.Close()
	out := map[string]int64{}
	for s := bufio.NewScanner(f); s.Scan(); {
		name, rest, _ := strings.Cut(s.Text(), ":")
		if f := strings.Fields(rest); len(f) > 0 {
			if n, err := strconv.ParseInt(f[0], 10, 64); err == nil {
				out[name] = n << 10 // "kB" is KiB there
			}
		}
	}
	zones, err := os.Open("/proc/zoneinfo")
	if err != nil {
		return nil, fmt.Errorf("host memory: %w", err)
	}
	defer zones.Close()
	pages, err := atHand(zones)
	if err != nil {
		return nil, fmt.Errorf("host memory: %w", err)
	}
	out["MemAvailable"] += pages * int64(os.Getpagesize())
	return out, nil
}

// MemoryRoom is how much memory the lab may take, in all and still: the machine's,
// or what the limits of the cgroups leave that it stands in. whose says which, for
// people.
func MemoryRoom() (all, left int64, whose string, err error) {
	m, err := HostMemory()
	if err != nil {
		return 0, 0, "", err
	}
	all, left, whose = m["MemTotal"], m["MemAvailable"], "this machine"
	if l, err := cgroup.Read(); err == nil {
		if n, by, ok := l.Left("memory"); ok {
			all = min(all, int64(by.Value))
			if n < left {
				left, whose = n, "the cgroup "+by.Dir
			}
		}
	}
	return all, left, whose, nil
}

// atHand is how many free pages a zoneinfo (the kernel's mm/vmstat.c)
// has in the lists of the CPUs: the lines "count: N".
func atHand(zoneinfo io.Reader) (pages int64, err error) {
	s := bufio.NewScanner(zoneinfo)
	for s.Scan() {
		name, rest, _ := strings.Cut(strings.TrimSpace(s.Text()), ":")
		if name != "count" {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(rest), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/zoneinfo: %w", err)
		}
		pages += n
	}
	return pages, s.Err()
}
