package vm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"lab/bench"
	"lab/bench/cgroup"
	"lab/bench/image"
	"lab/vm/kernel"
)

// qboot is a firmware that does nothing but start a kernel.
const qboot = "/usr/share/qemu/qboot.rom"

// Settings are what a user may vary.
func (e *Env) Settings() []bench.Setting {
	all := []bench.Setting{
		{Name: "accel", Values: []string{"auto", "kvm", "tcg"}, Default: "auto",
			Help: "what executes the guest: the CPU (kvm), or QEMU's translator (tcg); auto is kvm where that works and is faster"},
		{Name: "kernel", Default: "",
			Help: "path of the guest's kernel; full is the distribution's with all drivers (./setup.sh --full-kernel); empty is the small one that the set-up fetched, with nic=e1000 full"},
		{Name: "machine", Values: []string{"q35", "pc"}, Default: "q35",
			Help: "the machine: PCI Express of 2009, or PCI of 1996"},
		{Name: "boot", Values: []string{"elf", "bzimage"}, Default: "elf",
			Help: "the uncompressed kernel, entered directly, or the file as distributed, which unpacks itself in the guest"},
		{Name: "firmware", Values: []string{"seabios", "qboot"}, Default: "seabios",
			Help: "the PC's BIOS, or the least that starts a kernel"},
		{Name: "acpi", Values: []string{"auto", "off", "on"}, Default: "auto",
			Help: "tables that describe the machine to the guest; auto is off, as it then boots faster, but with qboot or several CPUs"},
	}
	all = append(all, startSetting)
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
	Help: "a guest that boots, or one that was saved once and is restored each time; that one runs the workload under its init, not as PID 1"}

func restored(s bench.Spec) bool { return s.Settings["start"] == "restored" }

// actual is a Spec as it is run: a guest that is restored has its init already.
func actual(s bench.Spec) bench.Spec {
	s.Init = s.Init || restored(s)
	return s
}

// Check says whether this machine can run s.
func (e *Env) Check(_ context.Context, s bench.Spec) error {
	if e.tb == nil {
		return errors.New("vm: not open")
	}
	if e.unfit != nil {
		var u *bench.UnfitError
		if !errors.As(e.unfit, &u) {
			return bench.Unavailable(e.unfit.Error(), "")
		}
		return e.unfit
	}
	if e.far != nil {
		if err := notFar(s); err != nil {
			return err
		}
	}
	if s.Settings["firmware"] == "qboot" && !exists(qboot) {
		return bench.Unavailable("QEMU came without "+qboot, "--variant firmware=seabios")
	}
	if s.Settings["firmware"] == "qboot" && s.Settings["acpi"] == "off" {
		return bench.NotApplicable("qboot leaves the guest's interrupts to ACPI", "--variant acpi=on or firmware=seabios")
	}
	if e.bare {
		return e.checkBare(s)
	}
	if s.Settings["accel"] == "kvm" && e.accel.Use != "kvm" {
		return bench.Unavailable(strings.TrimSuffix(e.accel.Reason, "."), "--accel tcg, which is no measure of a VM's speed; or a machine whose KVM works")
	}
	if len(s.Ports) > 0 {
		return bench.NotApplicable("a guest's ports can be reached from the testbed's bridge alone", "--env container")
	}
	if s.Hostname != "" {
		return bench.NotApplicable("a guest's name is its own kernel's", "hostname NAME, inside; or --env container")
	}
	if restored(s) {
		if err := notSaved(s); err != nil {
			return err
		}
	}
	s = actual(s)
	if l := s.Limits; l.CPUWeight != 0 || l.Swap != 0 || l.IO != (cgroup.IO{}) {
		return bench.NotApplicable("a guest's programs have its kernel to themselves, and nothing keeps limits of CPU weight, swap or I/O there", "limits of CPU, memory and processes")
	}
	if err := checkSize(s); err != nil {
		return err
	}
	if s.Settings["root"] != "ext4" {
		if err := unpacks(s.Image.Size, e.memory(s)); err != nil {
			return err
		}
	}
	if !s.Init {
		if err := direct(s); err != nil {
			return err
		}
	}
	if staged(s) {
		if _, err := guestInit(); err != nil {
			return bench.Unavailable(err.Error(), "make build")
		}
	}
	if s.Settings["root"] == "ext4" {
		if _, err := image.FindTool("mkfs.ext4"); err != nil {
			return bench.Unavailable(err.Error(), "make setup")
		}
	}
	if err := cmp.Or(e.checkData(s), e.checkCard(s), checkShares(s)); err != nil {
		return err
	}
	k, err := e.kernel(s)
	switch {
	case errors.Is(err, kernel.ErrNone) && kernelName(s) == fullKernel:
		return bench.Unavailable("the distribution's full kernel isn't in the cache, and an emulated network card needs its driver", "./setup.sh --full-kernel (some 70 MB)")
	case errors.Is(err, kernel.ErrNone):
		return bench.Unavailable(err.Error(), "make setup")
	case err != nil:
		return bench.Unavailable(err.Error(), "make setup, or another file with --kernel")
	case !staged(s):
		return nil
	case k.Modules == "":
		return bench.Unavailable("the modules of kernel "+k.Version+" aren't on this machine", "make setup, or install them")
	}
	if _, err := e.drivers(k, s); err != nil {
		return bench.Unavailable(err.Error(), "a kernel that has it: ./setup.sh --full-kernel, then --variant kernel=full")
	}
	return nil
}

// notSaved says what a guest can't have that is restored: all that are share
// one state, and what the kernel in it knows of its devices.
func notSaved(s bench.Spec) error {
	const cure = "--variant start=cold"
	switch net := s.Settings["net"]; {
	case hasDisk(s):
		return bench.NotApplicable("the file system of a guest's own disk would be in the saved state, and the disk is another one each time", cure)
	case net != "" && net != "none":
		return bench.NotApplicable("all guests of one saved state would have the same address", cure)
	case len(s.Mounts) > 0:
		return bench.NotApplicable("the saved state would know the files of the host's folders as they were", cure)
	}
	return nil
}

// notFar says what a foreign libvirt can't be asked for.
func notFar(s bench.Spec) error {
	const cure = "without --connect"
	switch {
	case restored(s):
		return bench.NotApplicable("a saved guest is a file of this machine's, and the foreign libvirt would restore it under one name alone", cure)
	case s.Settings["firmware"] == "qboot":
		return bench.NotApplicable("which firmware the foreign libvirt's machine has isn't known here", cure+", or --variant firmware=seabios")
	case hasDisk(s):
		return bench.NotApplicable("a guest's own disk is a file without a name on this machine", cure)
	case s.Settings["net"] == "bridge":
		return bench.NotApplicable("the testbed's bridge is on this machine, and the guest isn't", cure)
	case len(s.Mounts) > 0:
		return bench.NotApplicable("the folders are on this machine, and the guest isn't", cure)
	}
	return nil
}

// direct says whether a workload can be PID 1, started by the kernel itself.
func direct(s bench.Spec) error {
	const cure = "run it under the guest's init (Spec.Init)"
	c := s.Command
	switch {
	case c.User.UID != 0 || c.User.GID != 0 || len(c.User.Groups) > 0:
		return bench.NotApplicable("a guest's PID 1 is root", cure)
	case c.Dir != "" && c.Dir != "/":
		return bench.NotApplicable("a guest's PID 1 starts in /", cure)
	case c.Stdin != nil || c.Stdout != nil || c.Stderr != nil || c.TTY:
		return bench.NotApplicable("a guest's PID 1 has a console and no other input or output", cure)
	case s.Limits.Pids != 0:
		return bench.NotApplicable("nothing in the guest would keep a limit of processes", cure)
	}
	if len(c.Argv) > 0 {
		if _, err := (Cmdline{Init: "/x", Args: c.Argv[1:], Env: kernelEnv(c.Env)}).String(); err != nil {
			return bench.NotApplicable(err.Error(), cure)
		}
	}
	return nil
}

// kernelEnv is what of an environment the kernel doesn't set by itself.
func kernelEnv(env []string) (out []string) {
	for _, v := range env {
		if v != "HOME=/" && v != "TERM=linux" {
			out = append(out, v)
		}
	}
	return out
}

// Resolved says what the settings came to.
func (e *Env) Resolved(s bench.Spec) map[string]string {
	out := map[string]string{"accel": e.resolve(s.Settings["accel"])}
	if e.far != nil {
		out["libvirt"] = e.far.name
	}
	if e.far == nil { // the domain is the lab's own, and has no such device
		out["balloon"], out["free-page-reporting"] = "none", "none"
	}
	if !e.bare {
		out["acpi"], out["memory"], out["vcpus"] = e.acpi(s), fmt.Sprint(e.memory(actual(s))), fmt.Sprint(cpus(s))
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
// alone. The tiny guest's switch is an ACPI register.
func (e *Env) acpi(s bench.Spec) string {
	switch a := s.Settings["acpi"]; {
	case e.bare:
		return "on"
	case a != "auto" && a != "":
		return a
	case s.Settings["firmware"] == "qboot", cpus(s) > 1:
		return "on"
	}
	return "off"
}

// Describe says what Prepare and Start do.
func (e *Env) Describe(s bench.Spec) (prepare, start []string) {
	if e.far != nil {
		defer func() {
			prepare[0] = "the foreign libvirt is connected to"
			prepare = append(prepare, "the guest's files are uploaded as storage volumes")
			start[0] = "connect once more, for the console"
		}()
	}
	if e.bare {
		return describeBare()
	}
	prepare = []string{
		"libvirt's daemon runs, is connected to, and knows what QEMU can do",
		"the kernel is unpacked",
		"the image is packed into an initramfs",
	}
	if s.Settings["root"] == "ext4" {
		prepare[2] = "the image is made a disk"
	}
	if s.Settings["net"] == "bridge" {
		prepare = append(prepare, "the bridge is there, an address is reserved")
	}
	if restored(s) {
		return append(prepare, "a guest boots until its init waits for work, and libvirt saves it to a file in memory"), []string{
			"listen for the console and for the guest's init", "libvirt starts QEMU and configures it",
			"QEMU reads the saved state", "the guest's init sets its clock and takes new random numbers, and executes the workload"}
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
func (e *Env) config(s bench.Spec, k guestKernel) Config {
	c := Config{
		Testbed:  e.tb.ID,
		Accel:    e.resolve(s.Settings["accel"]),
		CPU:      e.accel.CPU,
		Machine:  s.Settings["machine"],
		Emulator: e.emulator,
		Memory:   e.memory(s),
		CPUs:     cpus(s),
		CPUSet:   s.Limits.CPUSet,
		TBCache:  tbCache(s),
		Kernel:   e.inside(k.file),
		ACPI:     e.acpi(s) == "on",
	}
	if c.Machine == "" {
		c.Machine = "q35"
	}
	if s.Settings["firmware"] == "qboot" {
		c.Firmware = qboot
	}
	return c
}

// inside turns a path below the cache or the testbed's folder into the one
// under which the daemon sees it.
func (e *Env) inside(path string) string {
	if rest, ok := strings.CutPrefix(path, e.tb.Cache+"/"); ok {
		return insideCache + "/" + rest
	}
	if rest, ok := strings.CutPrefix(path, e.bed()+"/"); ok {
		return insideBed + "/" + rest
	}
	return path
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
