package cgroup

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"lab/bench/input"
)

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
