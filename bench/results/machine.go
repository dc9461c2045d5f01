package results

import (
	"strings"
	"unicode/utf8"
)

// Machine is what a run ran on. It holds nothing that names a person or a
// place: no serial number, MAC address, user or host name. Units are base
// units. Zero values mean "not known".
type Machine struct {
	ID           string   `json:"id"` // salted hash of the machine id: the same machine, not which
	OS           string   `json:"os"` // "Debian GNU/Linux 12 (bookworm)"
	Kernel       string   `json:"kernel"`
	Arch         string   `json:"arch"` // as Go names it: amd64
	CPU          string   `json:"cpu"`
	CPUs         int      `json:"cpus"` // usable by the lab
	Memory       int64    `json:"memory"`
	Swap         int64    `json:"swap"`
	KSM          string   `json:"ksm,omitempty"`       // whether the kernel merges equal pages: on, off, "off, and what was merged is being parted", "not built in"
	HugePages    string   `json:"hugepages,omitempty"` // transparent ones: always, madvise, never; "not built in"
	RCU          string   `json:"rcu,omitempty"`       // how the kernel waits until nobody can still see what it takes away: usual, "expedited", "never expedited"
	Governor     string   `json:"governor,omitempty"`
	Mitigations  []string `json:"mitigations,omitempty"` // "spectre_v2: …", as the kernel words them
	Hypervisor   string   `json:"hypervisor,omitempty"`  // what this machine itself is a guest of; "" on bare metal
	Virtual      bool     `json:"virtual"`               // this machine is itself a guest
	Emulated     bool     `json:"emulated,omitempty"`    // this machine itself is emulated in software (QEMU's TCG): its figures are no processor's
	WSL          bool     `json:"wsl,omitempty"`
	Security     []string `json:"security,omitempty"`     // selinux, apparmor, …, with their mode
	CgroupLayout string   `json:"cgroup_layout"`          // v1, v2, hybrid
	Controllers  []string `json:"controllers"`            // "cpu:v1"
	CgroupPlace  string   `json:"cgroup_place,omitempty"` // where the run's cgroups were: below the lab's own, in a scope of systemd's, …

	// Limits are those of the lab's own cgroup and of all above it that can be
	// seen: they bind all environments alike.
	Limits []Bound `json:"limits,omitempty"`
	// Inherited is what the lab got from whoever started it, hands on to all that
	// it starts, and isn't as usual: nice 0, policy other, I/O priority none, all
	// processors that its cgroup allows, timer slack 50 µs, OOM score 0,
	// personality 0, a stack of 8 MiB, no limit of CPU time, file size, data or
	// address space. The umask isn't inherited: a run's is 022.
	Inherited map[string]string `json:"inherited,omitempty"`

	Init string  `json:"init"` // the machine's PID 1: systemd, …
	Load float64 `json:"load"` // 1-minute average at the start
	Go   string  `json:"go"`   // version the lab was built with

	Acceleration Acceleration      `json:"acceleration"`
	Versions     map[string]string `json:"versions"` // qemu, libvirt, …
}

// A Bound is a limit that a cgroup puts on the whole lab.
type Bound struct {
	What   string  `json:"what"`             // cpu, cpu-weight, cpuset, memory, memory-high, swap, pids, io, …
	Value  float64 `json:"value,omitempty"`  // in base units: processors, bytes, processes
	Text   string  `json:"text"`             // the same for people; of a set or a device's limits the kernel's own words
	Above  int     `json:"above"`            // how far above the lab's own cgroup: 0 is that itself
	Copied bool    `json:"copied,omitempty"` // the run's cgroups aren't below that cgroup, and got the same limit
}

// Acceleration is whether KVM can be used, with its proof.
type Acceleration struct {
	Use    string `json:"use"`            // kvm or tcg: what auto means on this machine; "" when not asked
	Device string `json:"device"`         // "/dev/kvm opens", "no /dev/kvm", …
	Reason string `json:"reason"`         // a whole sentence
	By     string `json:"by,omitempty"`   // who ran the probe's guest: libvirt, as all of the lab's guests, or qemu alone
	Kind   string `json:"kind,omitempty"` // what KVM is here: one of KVMHardware, …; "" where there is none, or it can't be told

	// How fast the probe's guest was under KVM and under emulation; zero what it
	// didn't come to.
	KVMPace Pace `json:"kvm_pace,omitzero"`
	TCGPace Pace `json:"tcg_pace,omitzero"`

	// Seconds that the guest of an earlier lab's probe took; only in its folders.
	KVM float64 `json:"kvm,omitempty"`
	TCG float64 `json:"tcg,omitempty"`
}

// Brief is Reason for one line of a screen: what is, without what was measured. It
// has no full stop.
func (a Acceleration) Brief() string {
	s := strings.TrimRight(strings.TrimSpace(a.Reason), ".")
	if utf8.RuneCountInString(s) <= 60 {
		return s
	}
	if head, kind, ok := strings.Cut(s, " ("); ok && !strings.Contains(head, ": ") {
		kind, rest, _ := strings.Cut(kind, ")")
		if i := strings.IndexAny(kind, ",:"); i >= 0 {
			kind = kind[:i]
		}
		s = head + " (" + kind + ")" + rest
	}
	s, _, _ = strings.Cut(s, ": ")
	return s
}

// Kinds of KVM.
const (
	KVMHardware    = "hardware"
	KVMNested      = "nested hardware" // in a machine that is itself a guest
	KVMParavirtual = "paravirtual"     // ring 0 is emulated
)

// Pace is how much a guest executes in a second.
type Pace struct {
	Unpaged float64 `json:"unpaged"` // instructions in ring 0 without paging, as firmware
	Ring0   float64 `json:"ring0"`   // instructions in ring 0 with it, as kernels
	Ring3   float64 `json:"ring3"`   // instructions in ring 3, as programs
	Faults  float64 `json:"faults"`  // page faults of ring 3
	Calls   float64 `json:"calls"`   // system calls
}
