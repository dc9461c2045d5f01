package launch

import (
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// home is a pidfd of the lab itself: the way back to its namespaces.
var home = sync.OnceValues(func() (int, error) { return unix.PidfdOpen(os.Getpid(), 0) })

// Home brings the calling disposable thread back to the lab's own namespaces of these
// kinds (CLONE_NEWNS, …). With the program gone, that drops the last hold on its own,
// and its mounts go now, in the time that counts as the instance's, rather than with
// the thread. It is for Plan.Leave.
//
// The thread isn't used again for all that: not everything that it changed can be
// changed back.
func Home(kinds int) {
	// A start may have failed before the thread had root and working folder to itself,
	// and setns with several kinds of namespaces would then change all threads'.
	unix.Unshare(unix.CLONE_FS)
	// It doesn't matter if it fails (before Linux 5.8 there is no setns with a
	// pidfd): the thread's end has the same effect, a little later.
	if fd, err := home(); err == nil {
		unix.Setns(fd, kinds)
	}
}

// Namespaces names those that a process is in, by kind: {"mnt": "mnt:[402653]"}, and
// in place of the PID namespace, which is "pid namespace", its PID.
func Namespaces(pid int) (map[string]string, error) {
	out := map[string]string{}
	for _, ns := range []string{"cgroup", "ipc", "mnt", "net", "pid", "uts", "user", "time"} {
		l, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, ns))
		if err != nil {
			return nil, fmt.Errorf("inspect: %w", err)
		}
		out[ns] = l
	}
	out["pid namespace"], out["pid"] = out["pid"], fmt.Sprint(pid)
	return out, nil
}
