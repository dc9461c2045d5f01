package vm

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/cgroup"
	"lab/vm/accel"
	"lab/vm/domain"
)

// Settings are what a user may vary.
func (e *Env) Settings() []bench.Setting {
	all := []bench.Setting{
		{Name: "accel", Values: []string{"auto", "kvm", "tcg"}, Default: "auto",
			Help: "what executes the guest: the CPU (kvm), or QEMU's translator (tcg); auto is kvm where that works and is faster"},
		{Name: "anyway", Values: []string{"no", "yes"}, Default: "no",
			Help: "with accel=kvm: also where the probe found this machine's KVM unfit; every table marks it"},
		{Name: "kernel", Default: "",
			Help: "the guest's kernel: a path; full for the distribution's with all drivers (make full-kernel); empty for the set-up's small one (full with nic=e1000)"},
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
	if e.bare {
		return slices.DeleteFunc(all, func(s bench.Setting) bool { return !slices.Contains(bareSettings, s.Name) })
	}
	return all
}

// bareSettings are those that a machine without an operating system has, too.
var bareSettings = []string{"accel", "machine", "firmware"}

// fullKernel is the setting kernel's word for the distribution's full one.
const fullKernel = "full"

// kernelName is what the setting comes to: the small kernel has no driver for an
// emulated network card.
func kernelName(s bench.Spec) string {
	if k := s.Settings["kernel"]; k != "" || !hasCard(s) || s.Settings["nic"] != "e1000" {
		return k
	}
	return fullKernel
}

// startSetting is how a guest comes to life.
var startSetting = bench.Setting{Name: "start", Values: []string{"cold", "restored"}, Default: "cold",
	Help: "a guest that boots, or one that was saved once and is restored each time, which runs the workload under its init and not as PID 1"}

func restored(s bench.Spec) bool { return s.Settings["start"] == "restored" }

// actual is a Spec as it is run: a guest that is restored has its init already,
// and an image that doesn't fit into the guest's RAM is a disk.
func actual(s bench.Spec) bench.Spec {
	s.Init = s.Init || restored(s)
	if s.Settings["root"] == auto {
		s.Settings = maps.Clone(s.Settings)
		s.Settings["root"] = "initramfs"
		if unpacks(s.Image.Size+driverRoom, memory(s)) != nil {
			s.Settings["root"] = "ext4"
		}
	}
	return s
}

// Resolved says what the settings came to.
func (e *Env) Resolved(s bench.Spec) map[string]string {
	out := map[string]string{"accel": e.resolve(s.Settings["accel"])}
	if e.far != nil {
		out["libvirt"] = e.far.Name
	} else { // the domain is the lab's own, and has no such device
		out["balloon"], out["free-page-reporting"] = "none", "none"
	}
	if !e.bare {
		a := actual(s)
		out["acpi"], out["memory"], out["vcpus"], out["root"] = acpi(s), fmt.Sprint(memory(a)), fmt.Sprint(cpus(s)), a.Settings["root"]
		if k, err := e.kernel(s); err == nil {
			out["kernel-version"] = k.Version
		}
	}
	if s.Settings["net"] == "bridge" {
		out["vhost"] = "no"
		if e.vhost(s) {
			out["vhost"] = "yes"
		}
	}
	if name := networkName(s); name != "" {
		out["network"], out["vhost"] = name, "no"
	}
	if out["accel"] == "kvm" {
		out["cpu"] = e.accel.CPU
	} else {
		out["tb-cache"] = fmt.Sprint(tbCache(s))
	}
	return out
}

func (e *Env) resolve(accel string) string {
	if accel == "auto" || accel == "" {
		return e.accel.Use
	}
	return accel
}

// acpi is what the setting comes to. Without ACPI's tables a kernel finds its
// interrupts in older ones, which SeaBIOS makes and qboot doesn't, and one CPU
// alone.
func acpi(s bench.Spec) string {
	switch a := s.Settings["acpi"]; {
	case a != "auto" && a != "":
		return a
	case s.Settings["firmware"] == "qboot", cpus(s) > 1:
		return "on"
	}
	return "off"
}

// Describe says what Prepare and Start do.
func (e *Env) Describe(s bench.Spec) (prepare, start []string) {
	return e.variant(s).describe(describeCold(s))
}

// describeCold says it of a guest that boots.
func describeCold(s bench.Spec) (prepare, start []string) {
	prepare = []string{
		"libvirt's daemon runs, is connected to, and knows what QEMU can do",
		"the kernel is unpacked",
		"the image is packed into an initramfs",
	}
	big := s.Settings["root"] == auto
	s.Settings = actual(s).Settings
	if s.Settings["root"] == "ext4" {
		prepare[2] = "the image is made a disk"
		if big {
			prepare[2] += ", as it is too large for the guest's RAM (root=auto)"
		}
	}
	if s.Settings["net"] == "bridge" {
		prepare = append(prepare, "the bridge exists, an address is reserved")
	}
	if networkName(s) != "" {
		prepare = append(prepare, "an address of libvirt's network is reserved")
	}
	start = []string{"listen for the console", "libvirt starts QEMU and configures it"}
	if hasDisk(s) {
		start = append([]string{"make and format the data disk"}, start...)
	}
	if s.Settings["boot"] == "bzimage" {
		start = append(start, "firmware starts the kernel, which unpacks itself")
	} else {
		start = append(start, "firmware starts the kernel at its PVH entry")
	}
	start = append(start, "the kernel boots and unpacks the initramfs")
	if staged(s) {
		start = append(start, "the guest's init loads the modules of its devices")
	}
	if s.Settings["root"] == "ext4" {
		start = append(start, "it mounts the image's disk, and a layer over it")
	}
	if hasDisk(s) {
		start = append(start, "it mounts the data disk")
	}
	if len(s.Mounts) > 0 {
		start = append(start, "it mounts the host's folders (virtiofs)")
	}
	if hasCard(s) {
		start = append(start, "it configures the network card, and waits for its link")
	}
	if s.Init {
		return prepare, append(start, "it executes the workload")
	}
	return prepare, append(start, "it executes the workload as PID 1")
}

// config is the domain for a Spec, but for what tells one instance from
// another.
func (e *Env) config(s bench.Spec) domain.Config {
	c := domain.Config{
		Testbed:  e.tb.ID,
		Accel:    e.resolve(s.Settings["accel"]),
		CPU:      e.accel.CPU,
		Machine:  s.Settings["machine"],
		Emulator: e.emulator,
		Memory:   memory(s),
		CPUs:     cpus(s),
		CPUSet:   s.Limits.CPUSet,
		TBCache:  tbCache(s),
		ACPI:     acpi(s) == "on",
	}
	if c.Machine == "" {
		c.Machine = "q35"
	}
	if s.Settings["firmware"] == "qboot" {
		c.Firmware = accel.Qboot
	}
	return c
}

// allowed are the processors that the lab itself may run on, where these aren't all
// of the machine's: libvirt lets a guest's QEMU run on any, unlike whatever else the
// lab starts.
func allowed() string {
	var may unix.CPUSet
	if unix.SchedGetaffinity(0, &may) != nil {
		return ""
	}
	text, err := os.ReadFile("/sys/devices/system/cpu/online")
	if err != nil || may.Count() == len(cgroup.CPUs(strings.TrimSpace(string(text)))) {
		return ""
	}
	var list []string
	for n := range 8 * int(unsafe.Sizeof(may)) {
		if may.IsSet(n) {
			list = append(list, strconv.Itoa(n))
		}
	}
	return strings.Join(list, ",")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
