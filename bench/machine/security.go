package machine

import "strings"

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
