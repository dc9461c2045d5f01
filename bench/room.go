package bench

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"lab/bench/cgroup"
)

// MemoryFits says whether the lab may take so many bytes of memory, with as many of
// what is available left for everybody else: nil, or an *[UnfitError]. who begins its
// sentence: "the program wants".
func MemoryFits(need int64, who, cure string) error {
	_, left, whose, err := MemoryRoom()
	if err == nil && need > left/2 {
		err = Unavailable(fmt.Sprintf("%s %d MiB, and half of what %s has available is %d MiB", who, need>>20, whose, left>>21), cure)
	}
	return err
}

// TasksRoom says whether the lab may have so many processes and threads, with as many
// left for everybody else, and so many open files: nil, or an *[UnfitError].
// The kernel's limits are pid_max and threads-max of the machine, pids.max of the
// cgroups that the lab stands in (Documentation/admin-guide/cgroup-v2.rst) and
// RLIMIT_NOFILE of the lab (setrlimit(2)).
func TasksRoom(tasks, files int) error {
	fits := func(need, have int, what, cure string) error {
		if need > have/2 {
			return Unavailable(fmt.Sprintf("it takes %d %s, and half of what is left is %d", need, what, have/2), cure)
		}
		return nil
	}
	for _, name := range []string{"/proc/sys/kernel/pid_max", "/proc/sys/kernel/threads-max"} {
		b, err := os.ReadFile(name)
		if err != nil {
			return fmt.Errorf("room: %w", err)
		}
		n, err := strconv.Atoi(strings.TrimSpace(string(b)))
		if err != nil {
			return fmt.Errorf("room: %s: %w", name, err)
		}
		if err := fits(tasks, n, "processes and threads", "raise "+name); err != nil {
			return err
		}
	}
	if l, err := cgroup.Read(); err == nil {
		if n, by, ok := l.Left("pids"); ok {
			if err := fits(tasks, int(n), "processes and threads", "raise the limit of the cgroup "+by.Dir); err != nil {
				return err
			}
		}
	}
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return fmt.Errorf("room: %w", err)
	}
	const own = 256 // that it has anyway
	if have := int(min(r.Max, 1<<30)); files+own > have {
		return Unavailable(fmt.Sprintf("it takes %d open files, and the lab may have %d", files+own, have), "ulimit -Hn "+strconv.Itoa(files+own))
	}
	return nil
}
