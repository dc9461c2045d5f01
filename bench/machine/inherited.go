package machine

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"lab/bench/cgroup"
)

// inherited is what a process gets from its parent, hands on to its children, and
// isn't as usual. It moves figures.
func inherited(t tree) map[string]string {
	out := map[string]string{}
	note := func(name, value string, usual ...string) {
		for _, u := range usual {
			if value == u {
				return
			}
		}
		if value != "" {
			out[name] = value
		}
	}
	// What follows the name, which may hold anything; the state is the third field.
	text := t.read("/proc/self/stat")
	if f := strings.Fields(text[strings.LastIndexByte(text, ')')+1:]); len(f) > 38 {
		note("nice", f[16], "0")
		policy, _ := strconv.Atoi(f[38])
		names := []string{"other", "fifo", "rr", "batch", "4", "idle", "deadline"}
		if policy < len(names) {
			note("scheduling policy", names[policy], "other")
		}
	}
	status := t.read("/proc/self/status")
	allowed := field(status, "Cpus_allowed_list")
	l, _ := cgroup.ReadIn(string(t))
	if set := l.CPUSet(); set != "" {
		note("processors", allowed, set)
	}
	note("timer slack", suffixed(t.read("/proc/self/timerslack_ns"), " ns"), "50000 ns")
	note("OOM score", t.read("/proc/self/oom_score_adj"), "0")
	note("personality", t.read("/proc/self/personality"), "00000000")
	if t == "" {
		if prio, _, errno := unix.Syscall(unix.SYS_IOPRIO_GET, 1, 0, 0); errno == 0 && prio>>13 != 0 { // ioprio_get(2): a process; the class
			note("I/O priority", strconv.Itoa(int(prio>>13))+"/"+strconv.Itoa(int(prio&0x1fff)))
		}
	}
	for line := range strings.Lines(t.read("/proc/self/limits")) {
		for _, x := range []struct{ row, usual string }{
			{"Max cpu time", "unlimited"}, {"Max file size", "unlimited"}, {"Max data size", "unlimited"},
			{"Max stack size", "8388608"}, {"Max address space", "unlimited"},
		} {
			if rest, ok := strings.CutPrefix(line, x.row); ok {
				if f := strings.Fields(rest); len(f) > 1 {
					note(strings.ToLower(x.row[4:])+" limit", f[0], x.usual)
				}
			}
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

func suffixed(s, suffix string) string {
	if s == "" {
		return ""
	}
	return s + suffix
}
