package results

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
	Governor     string   `json:"governor,omitempty"`
	Mitigations  []string `json:"mitigations,omitempty"` // "spectre_v2: …", as the kernel words them
	Hypervisor   string   `json:"hypervisor,omitempty"`  // what this machine itself is a guest of; "" on bare metal
	Virtual      bool     `json:"virtual"`               // this machine is itself a guest
	Emulated     bool     `json:"emulated,omitempty"`    // this machine itself is emulated in software (QEMU's TCG): its figures are no processor's
	WSL          bool     `json:"wsl,omitempty"`
	Security     []string `json:"security,omitempty"` // selinux, apparmor, …, with their mode
	CgroupLayout string   `json:"cgroup_layout"`      // v1, v2, hybrid
	Controllers  []string `json:"controllers"`        // "cpu:v1"
	Init         string   `json:"init"`               // the machine's PID 1: systemd, …
	Load         float64  `json:"load"`               // 1-minute average at the start
	Go           string   `json:"go"`                 // version the lab was built with

	Acceleration Acceleration      `json:"acceleration"`
	Versions     map[string]string `json:"versions"` // qemu, libvirt, …
}

// Acceleration is whether KVM can be used, with its proof.
type Acceleration struct {
	Use    string  `json:"use"`           // kvm or tcg: what auto means on this machine; "" when not asked
	Device string  `json:"device"`        // "/dev/kvm opens", "no /dev/kvm", …
	Reason string  `json:"reason"`        // a whole sentence
	By     string  `json:"by,omitempty"`  // who ran the probe's guest: libvirt, as all of the lab's guests, or qemu alone
	KVM    float64 `json:"kvm,omitempty"` // seconds that the probe's guest took under KVM; 0 when it didn't finish
	TCG    float64 `json:"tcg,omitempty"` // the same under emulation
}
