package bench

import (
	"bufio"
	"fmt"
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

// HostMemory reads the machine's /proc/meminfo, in bytes.
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
	return out, nil
}
