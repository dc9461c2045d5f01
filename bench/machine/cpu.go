package machine

import (
	"os"
	"strconv"
	"strings"
)

// cpuModel reads the processor's name from /proc/cpuinfo. On arm64 it has none:
// its numbers are shown as they are, since the table of names is long.
func cpuModel(cpuinfo string) string {
	for _, name := range []string{"model name", "Model", "cpu model"} {
		if v := field(cpuinfo, name); v != "" {
			return strings.Join(strings.Fields(v), " ")
		}
	}
	if part := field(cpuinfo, "CPU part"); part != "" {
		return "implementer " + field(cpuinfo, "CPU implementer") + " part " + part
	}
	return ""
}

// countCPUs counts a list as the kernel writes it: "0-3,8".
func countCPUs(list string) int {
	n := 0
	for part := range strings.SplitSeq(list, ",") {
		from, to, ok := strings.Cut(part, "-")
		if !ok {
			to = from
		}
		a, err1 := strconv.Atoi(from)
		b, err2 := strconv.Atoi(to)
		if err1 == nil && err2 == nil && b >= a {
			n += b - a + 1
		}
	}
	return n
}

// governor is who sets the processors' clock: "performance", "powersave", …;
// "powersave, performance" where they differ; "" where no one may, as in guests.
func governor(t tree) string {
	var list []string
	seen := map[string]bool{}
	const cpus = "/sys/devices/system/cpu"
	entries, _ := os.ReadDir(t.path(cpus))
	for _, e := range entries {
		g := t.read(cpus + "/" + e.Name() + "/cpufreq/scaling_governor")
		if g != "" && !seen[g] {
			seen[g] = true
			list = append(list, g)
		}
	}
	return strings.Join(list, ", ")
}

// mitigations lists what the kernel does against the flaws that this processor
// has: they cost system calls, page faults and switches, which is what
// environments differ in.
func mitigations(t tree) []string {
	var list []string
	const dir = "/sys/devices/system/cpu/vulnerabilities"
	entries, _ := os.ReadDir(t.path(dir))
	for _, e := range entries {
		if v := t.read(dir + "/" + e.Name()); v != "" && v != "Not affected" {
			list = append(list, e.Name()+": "+v)
		}
	}
	return list
}
