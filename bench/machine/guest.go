package machine

import (
	"slices"
	"strings"
)

// What firmware tables say of those who make virtual machines. AWS's and
// Google's are KVM inside; the name of the place says more, as their clocks and
// disks are their own. Some makers put the same name on real machines.
var vendors = []struct {
	text, name string
	real       bool
}{
	{"Amazon EC2", "AWS", true},
	{"Google Compute Engine", "Google Compute Engine", false},
	{"Microsoft Corporation", "Hyper-V", true},
	{"VMware", "VMware", false},
	{"innotek GmbH", "VirtualBox", false},
	{"VirtualBox", "VirtualBox", false},
	{"Parallels", "Parallels", false},
	{"Apple Virtualization", "Apple Virtualization", false},
	{"Xen", "Xen", false},
	{"OpenStack", "OpenStack", false},
	{"DigitalOcean", "DigitalOcean", false},
	{"Hetzner", "Hetzner", true},
	{"QEMU", "QEMU", false},
	{"KVM", "KVM", false},
	{"BHYVE", "bhyve", false},
}

// hypervisor tells whether this machine is itself a guest, and whose. Whether
// it is one, the processor says (the flag "hypervisor" is set for every guest,
// and AWS's bare metal, whose firmware has the same name, lacks it); whose,
// firmware tables do, or, for want of these, the clocks that the kernel found.
func hypervisor(t tree) (name string, virtual bool) {
	if isWSL(t) {
		return "Hyper-V", true
	}
	if kind := t.read("/sys/hypervisor/type"); kind == "xen" {
		// Xen's first domain runs on the machine, and manages the others.
		if strings.Contains(t.read("/proc/xen/capabilities"), "control_d") {
			return "", false
		}
		return "Xen", true
	}
	cpuinfo := t.read("/proc/cpuinfo")
	flags := strings.Fields(field(cpuinfo, "flags"))
	virtual = slices.Contains(flags, "hypervisor")
	for _, f := range []string{"sys_vendor", "product_name", "board_vendor", "bios_vendor"} {
		text := t.read("/sys/class/dmi/id/" + f)
		for _, v := range vendors {
			// Processors other than x86's have no such flag: there a name
			// that is on no real machine decides.
			if strings.Contains(text, v.text) && (virtual || len(flags) == 0 && !v.real) {
				return v.name, true
			}
		}
	}
	if len(flags) == 0 && t.read("/sys/class/dmi/id/sys_vendor") == "Amazon EC2" {
		if !strings.Contains(t.read("/sys/class/dmi/id/product_name"), ".metal") {
			return "AWS", true
		}
	}
	if text := t.read("/proc/device-tree/hypervisor/compatible"); text != "" {
		return strings.ToUpper(strings.TrimPrefix(strings.Trim(text, "\x00"), "linux,")), true
	}
	if !virtual {
		return "", false
	}
	clocks := t.read("/sys/devices/system/clocksource/clocksource0/available_clocksource")
	switch {
	case strings.Contains(clocks, "kvm-clock"):
		return "KVM", true
	case strings.Contains(clocks, "hyperv"):
		return "Hyper-V", true
	case strings.Contains(clocks, "xen"):
		return "Xen", true
	}
	return "unknown", true
}

// emulated tells whether a guest's processor is a program (QEMU's TCG). A processor
// that is asked says so, whatever model it shows; else only the name of TCG's own
// model does.
func emulated(cpuinfo string, ask bool) bool {
	return ask && signature() == "TCGTCGTCGTCG" || strings.HasPrefix(cpuModel(cpuinfo), "QEMU TCG CPU")
}

// isWSL tells whether this is Linux on Windows. WSL 1 has no Linux kernel at
// all, and fails in [Checks] by what it lacks.
func isWSL(t tree) bool {
	return strings.Contains(strings.ToLower(t.read("/proc/sys/kernel/osrelease")), "microsoft")
}
