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

// ksm is whether the kernel looks for equal pages and merges them (kernel samepage
// merging): QEMU offers its guests' RAM, and what guests cost then depends on how
// equal they are.
func ksm(t tree) string {
	switch t.read("/sys/kernel/mm/ksm/run") {
	case "":
		return t.notBuilt()
	case "0":
		return "off"
	case "1":
		return "on"
	}
	return "off, and what was merged is being parted"
}

// rcu is how the kernel waits for a grace period (Documentation/RCU): as usual, on some
// ways in a hurry; always in a hurry, which interrupts the other processors; or never,
// which takes off namespaces and mounts milliseconds later. "" isn't known.
func rcu(t tree) string {
	switch {
	case t.read("/sys/kernel/rcu_normal") == "1": // overrides the other
		return "never expedited"
	case t.read("/sys/kernel/rcu_expedited") == "1":
		return "expedited"
	case t.has("/sys/kernel/rcu_expedited"):
		return "usual"
	}
	return ""
}

// hugePages is when the kernel gives a program pages of 2 MiB unasked, of which
// one byte costs all.
func hugePages(t tree) string {
	text := t.read("/sys/kernel/mm/transparent_hugepage/enabled")
	if text == "" {
		return t.notBuilt()
	}
	_, rest, _ := strings.Cut(text, "[")
	chosen, _, _ := strings.Cut(rest, "]")
	return chosen
}

// notBuilt is what it means that one of the files isn't there: nothing is known
// where the whole folder isn't.
func (t tree) notBuilt() string {
	if !t.has("/sys/kernel/mm") {
		return ""
	}
	return "not built in"
}

// security lists the modules that may forbid root something, with their mode.
func security(t tree) []string {
	list := []string{}
	switch t.read("/sys/fs/selinux/enforce") {
	case "1":
		list = append(list, "selinux: enforcing")
	case "0":
		list = append(list, "selinux: permissive")
	}
	if t.read("/sys/module/apparmor/parameters/enabled") == "Y" {
		mode := "enabled"
		if t.read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1" {
			mode += ", no user namespaces without root"
		}
		list = append(list, "apparmor: "+mode)
	}
	if v := t.read("/proc/sys/kernel/yama/ptrace_scope"); v != "" {
		list = append(list, "yama: ptrace_scope "+v)
	}
	// "none [integrity] confidentiality": the one in brackets holds.
	if _, v, ok := strings.Cut(t.read("/sys/kernel/security/lockdown"), "["); ok {
		if v, _, _ = strings.Cut(v, "]"); v != "none" {
			list = append(list, "lockdown: "+v)
		}
	}
	return list
}

// confined tells whether AppArmor has a profile for the libvirt daemon. It
// attaches by the program's path, so that it holds for a private daemon too.
func confined(t tree) bool {
	for line := range strings.Lines(t.read("/sys/kernel/security/apparmor/profiles")) {
		name, mode, _ := strings.Cut(strings.TrimSpace(line), " ")
		if strings.HasSuffix(name, "libvirtd") || strings.HasSuffix(name, "virtqemud") {
			if mode == "(enforce)" {
				return true
			}
		}
	}
	return false
}
