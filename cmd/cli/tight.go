package cli

import (
	"fmt"

	"golang.org/x/sys/unix"

	"lab/bench/cgroup"
)

// What the lab needs of its caller's limits. Below it something fails in the midst
// of a start, with an error that names no limit.
const (
	filesOfExec = 64 // a container's start has some 40 files open at a time
	filesOfRun  = 256
	pidsOfRun   = 64       // threads of the lab, libvirt's daemon and QEMU count
	memoryOfRun = 32 << 20 // a run of processes has peaks of some 24 MiB
)

// Tight says which limit of the caller's is too low for a whole run, or a guest; or
// for a command that the lab starts by itself.
func Tight(whole bool) error {
	type limit struct {
		kind       int
		least      uint64
		what, cure string
	}
	need := []limit{{unix.RLIMIT_NOFILE, filesOfExec, "files that may be open at a time", "ulimit -n 1024"}}
	if whole {
		need[0].least = filesOfRun
		need = append(need, limit{unix.RLIMIT_FSIZE, 1 << 30, "bytes that a file may have", "ulimit -f unlimited"},
			limit{unix.RLIMIT_AS, 4 << 30, "bytes of address space", "ulimit -v unlimited"})
	}
	for _, n := range need {
		var have unix.Rlimit
		// Go has raised the number of files to the hard limit by itself.
		if err := unix.Getrlimit(n.kind, &have); err == nil && have.Cur < n.least {
			return fmt.Errorf("the caller's limit is %d %s, and the lab needs %d; fix: %s, or a fresh shell", have.Cur, n.what, n.least, n.cure)
		}
	}
	if !whole {
		return nil
	}
	l, err := cgroup.Read()
	if err != nil {
		return nil
	}
	const cure = "fix: start the lab from a shell outside of it, or raise its "
	if left, by, ok := l.Left("pids"); ok && left < pidsOfRun {
		return fmt.Errorf("the cgroup %s allows %.0f processes and threads, of which %d are left, and the lab needs %d; %spids.max", by.Dir, by.Value, left, pidsOfRun, cure)
	}
	// By the limit, as what is used now is mostly files that the kernel may drop.
	if _, by, ok := l.Left("memory"); ok && by.Value < memoryOfRun {
		return fmt.Errorf("the cgroup %s allows %s of memory, and the lab needs %d MiB; %smemory limit", by.Dir, by.Text, memoryOfRun>>20, cure)
	}
	return nil
}
