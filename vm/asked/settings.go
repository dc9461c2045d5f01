package asked

import (
	"maps"
	"slices"

	"lab/bench"
)

// Settings are what a user may vary: of a bare guest, of a distribution, or of one with a
// kernel of the lab's choice.
func Settings(bare, distro bool) []bench.Setting {
	all := []bench.Setting{
		{Name: "accel", Values: []string{"auto", "kvm", "tcg"}, Default: "auto",
			Help: "what executes the guest: the CPU (kvm), or QEMU's translator (tcg); auto is kvm where that works and is faster"},
		{Name: "anyway", Values: []string{"no", "yes"}, Default: "no",
			Help: "with accel=kvm: also where the probe found this machine's KVM unfit; every table marks it"},
		{Name: "kernel", Default: "",
			Help: "the guest's kernel: the version of one in the cache (~/.cache/lab/kernels/NAME/boot/vmlinuz-VERSION, with lib/modules), a path, or full for the distribution's with all drivers (make full-kernel); empty for the set-up's small one (full with nic=e1000)"},
		appendSetting,
		{Name: "machine", Values: []string{"q35", "pc"}, Default: "q35",
			Help: "the machine: PCI Express of 2009, or PCI of 1996"},
		{Name: "boot", Values: []string{"elf", "bzimage"}, Default: "elf",
			Help: "the uncompressed kernel, entered directly, or the file as distributed, which unpacks itself in the guest"},
		{Name: "firmware", Values: []string{"seabios", "qboot"}, Default: "seabios",
			Help: "the PC's BIOS, or the least that starts a kernel"},
		{Name: "acpi", Values: []string{"auto", "off", "on"}, Default: "auto",
			Help: "tables that describe the machine to the guest; auto is on with qboot or several CPUs, else off, which boots faster"},
	}
	all = append(all, startSetting, bench.PageCache)
	all = append(append(all, sizeSettings()...), deviceSettings()...)
	if bare {
		return slices.DeleteFunc(all, func(s bench.Setting) bool { return !slices.Contains(bareSettings, s.Name) })
	}
	if distro {
		all = slices.DeleteFunc(all, func(s bench.Setting) bool { return !slices.Contains(distroSettings, s.Name) })
		n := slices.IndexFunc(all, func(s bench.Setting) bool { return s.Name == "memory" })
		all[n].Default, all[n].Help = distroMemory, "the guest's RAM, such as 1G"
		n = slices.IndexFunc(all, func(s bench.Setting) bool { return s.Name == "net" })
		all[n].Values, all[n].Help = []string{"none", "bridge"}, "network: none but loopback, or a port of the testbed's bridge"
	}
	return all
}

// distroSettings are those that a distribution has, too, and distroMemory is what one has
// room in.
var distroSettings = []string{"accel", "anyway", bench.PageCache.Name, "memory", "vcpus", "tbcache", "net"}

const distroMemory = "512M"

// Domain is the setting of the environment xen alone.
var Domain = bench.Setting{Name: "domain", Values: []string{"dom0", "pv", "pvh"}, Default: "dom0",
	Help: "where the workload is: in Xen's first domain, or in a guest that xl makes there, paravirtualized (pv), or by the processor's virtualization, without devices of a PC (pvh)"}

// InDomain says whether the workload is to be in a guest of Xen's.
func InDomain(s bench.Spec) bool { d := s.Settings[Domain.Name]; return d != "" && d != "dom0" }

// bareSettings are those that a machine without an operating system has, too.
var bareSettings = []string{"accel", "machine", "firmware"}

// FullKernel is the setting kernel's word for the distribution's full one.
const FullKernel = "full"

// KernelName is what the setting comes to: the small kernel has no driver for an
// emulated network card.
func KernelName(s bench.Spec) string {
	if k := s.Settings["kernel"]; k != "" || !HasCard(s) || s.Settings["nic"] != "e1000" {
		return k
	}
	return FullKernel
}

// startSetting is how a guest comes to life.
var startSetting = bench.Setting{Name: "start", Values: []string{"cold", "restored"}, Default: "cold",
	Help: "a guest that boots, or one that was saved once and is restored each time, which runs the workload under its init and not as PID 1"}

// Restored says whether the guest is to be one that was saved.
func Restored(s bench.Spec) bool { return s.Settings["start"] == "restored" }

// Actual is a Spec as it is run: a guest that is restored has its init already,
// and an image that doesn't fit into the guest's RAM is a disk.
func Actual(s bench.Spec) bench.Spec {
	s.Init = s.Init || Restored(s)
	if s.Settings["root"] == auto {
		s.Settings = maps.Clone(s.Settings)
		s.Settings["root"] = "initramfs"
		if Unpacks(s.Image.Size+driverRoom, Memory(s)) != nil {
			s.Settings["root"] = "ext4"
		}
	}
	return s
}

// ACPI is what the setting comes to. Without ACPI's tables a kernel finds its
// interrupts in older ones, which SeaBIOS makes and qboot doesn't, and one CPU
// alone.
func ACPI(s bench.Spec) string {
	switch a := s.Settings["acpi"]; {
	case a != "auto" && a != "":
		return a
	case s.Settings["firmware"] == "qboot", CPUs(s) > 1:
		return "on"
	}
	return "off"
}

// Describe says it of a guest that boots.
func Describe(s bench.Spec) (prepare, start []string) {
	prepare = []string{
		"libvirt's daemon runs, is connected to, and knows what QEMU can do",
		"the kernel is unpacked",
		"the image is packed into an initramfs",
	}
	big := s.Settings["root"] == auto
	s.Settings = Actual(s).Settings
	if s.Settings["root"] == "ext4" {
		prepare[2] = "the image is made a disk"
		if big {
			prepare[2] += ", as it is too large for the guest's RAM (root=auto)"
		}
	}
	if s.Settings["net"] == "bridge" {
		prepare = append(prepare, "the bridge exists, an address is reserved")
	}
	if NetworkName(s) != "" {
		prepare = append(prepare, "an address of libvirt's network is reserved")
	}
	start = []string{"listen for the console", "libvirt starts QEMU and configures it"}
	if HasDisk(s) {
		start = append([]string{"make and format the data disk"}, start...)
	}
	if s.Settings["boot"] == "bzimage" {
		start = append(start, "firmware starts the kernel, which unpacks itself")
	} else {
		start = append(start, "firmware starts the kernel at its PVH entry")
	}
	start = append(start, "the kernel boots and unpacks the initramfs")
	if Staged(s) {
		start = append(start, "the guest's init loads the modules of its devices")
	}
	if s.Settings["root"] == "ext4" {
		start = append(start, "it mounts the image's disk, and a layer over it")
	}
	if HasDisk(s) {
		start = append(start, "it mounts the data disk")
	}
	if len(s.Mounts) > 0 {
		start = append(start, "it mounts the host's folders (virtiofs)")
	}
	if HasCard(s) {
		start = append(start, "it configures the network card, and waits for its link")
	}
	if s.Init {
		return prepare, append(start, "it executes the workload")
	}
	return prepare, append(start, "it executes the workload as PID 1")
}
