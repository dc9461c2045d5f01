package vm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"lab/bench"
	"lab/bench/cgroup"
	"lab/bench/image"
	"lab/bench/results"
	"lab/bench/usercache"
	"lab/vm/accel"
	"lab/vm/asked"
	"lab/vm/guest"
	"lab/vm/kernel"
)

// Check says whether this machine can run s.
func (e *Env) Check(ctx context.Context, s bench.Spec) error {
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
	if err := e.variant(s).refuses(s); err != nil {
		return err
	}
	if s.Settings["firmware"] == "qboot" && !accel.HasQboot() {
		return bench.Unavailable("QEMU came without "+accel.Qboot, "--variant firmware=seabios")
	}
	if s.Settings["firmware"] == "qboot" && s.Settings["acpi"] == "off" {
		return bench.NotApplicable("qboot leaves the guest's interrupts to ACPI", "--variant acpi=on or firmware=seabios")
	}
	if e.bare {
		return nil
	}
	if s.Settings["accel"] == "kvm" && e.accel.Use != "kvm" {
		cure := "--accel tcg, no measure of a VM's speed (lab doctor says more)"
		tried := e.accel.CPU != "" // else it doesn't so much as open
		if tried {
			cure = "--anyway, or " + cure
		}
		if !tried || s.Settings["anyway"] != "yes" {
			return bench.Unavailable(e.accel.Brief(), cure)
		}
	}
	if len(s.Ports) > 0 {
		return bench.NotApplicable("a guest's ports can be reached from the testbed's bridge alone", "--env container")
	}
	s = e.actual(s)
	l := s.Limits
	if l.IO.Device, l.IO.WriteBytes = "", 0; l.CPUWeight != 0 || l.Swap != 0 || l.IO != (cgroup.IO{}) || s.Limits.IO.WriteBytes != 0 && !asked.HasDisk(s) {
		return bench.NotApplicable("a guest's programs have its kernel to themselves, and nothing keeps limits of CPU weight, swap or I/O there, but for a data disk's writes", "use limits of CPU, memory and processes, and of writes with --variant disk=virtio")
	}
	if err := cmp.Or(asked.CheckSize(s), e.checkRoom(s)); err != nil {
		return err
	}
	if e.distro != "" {
		return e.checkDistro(ctx, s)
	}
	if s.Settings["root"] != "ext4" {
		if err := asked.Unpacks(s.Image.Size, asked.Memory(s)); err != nil {
			return err
		}
	}
	if !s.Init {
		if err := asked.CheckDirect(s); err != nil {
			return err
		}
	}
	if asked.Staged(s) {
		if _, err := guest.Init(); err != nil {
			return bench.Unavailable(err.Error(), "make build")
		}
	}
	if s.Settings["root"] == "ext4" {
		if _, err := image.FindTool("mkfs.ext4"); err != nil {
			return bench.Unavailable(err.Error(), usercache.SetUp("e2fsprogs"))
		}
	}
	_, err := asked.Append(s)
	if err := cmp.Or(err, asked.CheckDisk(s, e.tb), e.checkCard(ctx, s), asked.CheckShares(s)); err != nil {
		return err
	}
	k, err := e.kernel(s)
	switch {
	case errors.Is(err, kernel.ErrNone) && asked.KernelName(s) == kernel.FullName:
		return bench.Unavailable("the distribution's full kernel isn't in the cache, and an emulated network card needs its driver", "make full-kernel (some 70 MB)")
	case errors.Is(err, kernel.ErrNone):
		return bench.Unavailable(err.Error(), "make setup")
	case err != nil:
		return bench.Unavailable(err.Error(), "make setup, or name another file with --kernel")
	case !asked.Staged(s):
		return nil
	case k.Modules == "":
		return bench.Unavailable("the modules of kernel "+k.Version+" aren't on this machine", "make setup, or install them")
	}
	if _, err := e.drivers(k, s); err != nil {
		return bench.Unavailable(err.Error(), "make full-kernel, then --variant kernel=full")
	}
	return nil
}

// checkCard says whether this machine can give a guest its network.
func (e *Env) checkCard(ctx context.Context, s bench.Spec) error {
	if s.Settings["net"] != "bridge" {
		return e.checkNetwork(ctx, s)
	}
	if !e.tb.Private {
		return bench.Unavailable("this testbed has no network of its own", "use lab exec vm or lab run, which make one")
	}
	if !exists("/dev/net/tun") {
		return bench.Unavailable("the host has no /dev/net/tun, which a guest's port on the bridge needs", "modprobe tun")
	}
	return nil
}

// checkNetwork says whether a guest can be on a network of that libvirt's.
func (e *Env) checkNetwork(ctx context.Context, s bench.Spec) error {
	name := asked.NetworkName(s)
	switch {
	case name == "" && s.Settings["network"] != "":
		return bench.NotApplicable("network="+s.Settings["network"]+" is given, and net=network isn't", "--variant net=network,network="+s.Settings["network"])
	case name == "":
		return nil
	case e.far == nil:
		return bench.NotApplicable("the lab's own libvirt has no networks", "--variant net=bridge, or --connect URI of a libvirt that has them")
	}
	return e.far.CheckNetwork(ctx, name)
}

// checkRoom says whether the guest's RAM fits into what the lab itself may have: the
// kernel would kill QEMU in the midst of a trial.
func (e *Env) checkRoom(s bench.Spec) error {
	l, err := cgroup.Read()
	if err != nil {
		return nil // the limits can't be told; those of cgroups are the testbed's to read
	}
	if e.far != nil {
		return bench.CheckElsewhere(l.Bounds(), "the foreign libvirt's guests", "leave out --connect")
	}
	if left, by, ok := l.Left("memory"); ok && left < asked.Memory(s) {
		return bench.Unavailable(fmt.Sprintf("the guest has %d MiB of RAM, and the limit of the lab's cgroup %s leaves %d", asked.Memory(s)>>20, by.Dir, left>>20),
			"start the lab from a shell outside of that cgroup, or --variant memory=96M")
	}
	return nil
}

// Settings are what a user may vary.
func (e *Env) Settings() []bench.Setting {
	all := asked.Settings(e.bare, e.distro != "")
	if n := slices.IndexFunc(all, func(s bench.Setting) bool { return s.Name == "memory" }); e.room != "" {
		all[n].Default = e.room
	}
	if e.distro == xen {
		all = append(all, asked.Domain)
	}
	return all
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
		a := e.actual(s)
		out["memory"], out["vcpus"] = fmt.Sprint(asked.Memory(a)), fmt.Sprint(asked.CPUs(s))
		if e.distro == "" {
			out["acpi"], out["root"] = asked.ACPI(s), a.Settings["root"]
		}
		if asked.InDomain(s) { // of the machine's memory
			out["domain-memory"] = fmt.Sprint(sizeOfDomain(s))
		}
		if k, err := e.Kernel(s); err == nil {
			out["kernel-version"], out[results.KernelDigest] = k.Name, k.Digest
		}
	}
	if s.Settings["net"] == "bridge" {
		out["vhost"] = "no"
		if e.vhost(s) {
			out["vhost"] = "yes"
		}
	}
	if name := asked.NetworkName(s); name != "" {
		out["network"], out["vhost"] = name, "no"
	}
	if out["accel"] == "kvm" {
		out["cpu"] = e.accel.CPU
	} else {
		out["tb-cache"] = fmt.Sprint(asked.TBCache(s))
	}
	return out
}

func (e *Env) resolve(accel string) string {
	if accel == "auto" || accel == "" {
		return e.accel.Use
	}
	return accel
}

// Describe says what Prepare and Start do.
func (e *Env) Describe(s bench.Spec) (prepare, start []string) {
	return e.variant(s).describe(asked.Describe(s))
}
