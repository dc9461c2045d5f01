package vm

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"time"

	"lab/bench"
	"lab/bench/image"
	"lab/bench/probe/guestinit/wire"
	"lab/bench/request"
	"lab/vm/asked"
	"lab/vm/disk"
	"lab/vm/domain"
	"lab/vm/kernel"
)

// NewXen returns the environment xen: such a machine, on which the boot loader starts the
// hypervisor Xen, and that the distribution, as its first domain (dom0). The workload is in
// that domain: a kernel that knows that it has no hardware of its own, and asks Xen by
// hypercalls where another would be trapped. Or, with domain=pv or pvh, dom0 starts a guest
// of Xen's, and the workload is in that, under the kernel of the environment vm.
func NewXen() *Env {
	e := NewDistro()
	e.name, e.distro, e.room = "xen", xen, "1536M"
	e.kernels, e.modules = make(map[string]guestKernel), make(map[string][]kernel.Module)
	a := &e.about
	// Emulated, on a machine on which others compute, it took four.
	a.Patience = 7 * time.Minute
	a.Is = "Debian's Xen in a virtual machine, and a Debian as its dom0"
	a.Needs = "root, QEMU, libvirt's daemon, a Debian with Xen on a disk (setup.sh --xen)"
	a.Caveat = "hardware that is a virtual machine, a hypervisor in it, and on that the kernel that runs the workload: dom0's, or with domain=pv or pvh a guest's. It shows what such a start consists of, not how fast Xen is on hardware"
	a.More = "The disk is made once, by " + e.distroCure() + ". Its boot loader starts Xen, Xen the kernel of dom0, which makes hypercalls in place of privileged instructions; the rest is as in vm-distro, with the full kernel. " +
		"With domain=pv or domain=pvh the workload is in a guest that xl, Xen's own tool, creates in dom0: with the kernel of the environment vm, and the image's disk handed on. " +
		"A PV guest's kernel makes hypercalls, as dom0's does. A PVH guest's needs the processor's virtualization, which KVM has to hand on (nested=1), and which QEMU emulates under TCG. " +
		"The host reaches the guest by its console alone: it has no network card."
	return e
}

// domainGuest is such a machine, whose dom0 starts a guest of Xen's for the workload.
//
// All that the guest is made of comes with the lab, on the disk from which dom0's unit has
// its init. That init, in dom0, has xl make the guest, and carries what the host and the
// init in the guest say (bench/probe/guestinit/domain.go). The image's disk is dom0's, which
// hands it on.
type domainGuest struct{ distroGuest }

// xenDrivers are the modules that a guest of Xen's needs: of its disk, and for the layer over
// the image.
var xenDrivers = []string{"xen_blkfront", "ext4", "overlay"}

const (
	// domainMemory is the RAM of a guest of Xen's by default.
	domainMemory = 256 << 20

	// dom0Memory is what Xen itself and dom0 have of the machine's, by the disk's boot
	// loader (768 MiB for dom0), with some room.
	dom0Memory = 1 << 30
)

// sizeOfDomain is the RAM of a guest of Xen's. A limit of memory is kept by a cgroup in it.
func sizeOfDomain(s bench.Spec) int64 {
	s.Settings, s.Init = nil, true
	return max(domainMemory, asked.Memory(s))
}

func (v domainGuest) refuses(s bench.Spec) error {
	if n := s.Settings["net"]; n != "" && n != "none" {
		return bench.NotApplicable("a guest of Xen's has no network card: in dom0 nothing connects one to the machine's", "--variant domain=dom0, or net=none")
	}
	// What isn't a size is said later, as of every guest.
	if _, err := request.ParseSize(s.Settings["memory"]); err == nil && sizeOfDomain(s)+dom0Memory > asked.Memory(s) {
		need := sizeOfDomain(s) + dom0Memory
		return bench.NotApplicable(fmt.Sprintf("a guest of Xen's, Xen and dom0 take %d MiB, and the machine has %d", need>>20, asked.Memory(s)>>20), fmt.Sprintf("--variant memory=%dM", need>>20))
	}
	return v.distroGuest.refuses(s)
}

// checkDomain says whether this machine can have a guest of Xen's.
func (e *Env) checkDomain(s bench.Spec) error {
	if s.Settings["domain"] == "pvh" && e.resolve(s.Settings["accel"]) == "kvm" {
		switch {
		case e.accel.CPU != "host":
			return bench.Unavailable("Xen runs a PVH guest by the processor's virtualization, which a guest has only with the machine's own CPU model, and KVM starts none with that here",
				"--variant domain=pv, or --accel tcg, where QEMU emulates it")
		case !nested("/sys/module"):
			return bench.Unavailable("Xen runs a PVH guest by the processor's virtualization, which KVM here doesn't hand on to the machine that Xen is in",
				"modprobe -r kvm_intel && modprobe kvm_intel nested=1 (on AMD's processors kvm_amd), or --variant domain=pv, or --accel tcg, where QEMU emulates it")
		}
	}
	k, err := e.domainKernel(s)
	switch {
	case err != nil:
		return bench.Unavailable(err.Error(), "make setup")
	case k.Modules == "":
		return bench.Unavailable("the modules of kernel "+k.Version+" aren't on this machine", "make setup, or install them")
	}
	if _, err := e.closure(k, xenDrivers); err != nil {
		return bench.Unavailable(err.Error(), "make setup, and unset LAB_KERNEL")
	}
	return nil
}

// nested says whether KVM hands the processor's virtualization on to its guests.
func nested(modules string) bool {
	for _, m := range []string{"kvm_intel", "kvm_amd"} {
		b, err := os.ReadFile(filepath.Join(modules, m, "parameters/nested"))
		if b = bytes.TrimSpace(b); err == nil && (string(b) == "Y" || string(b) == "1") {
			return true
		}
	}
	return false
}

// domainKernel is the kernel of a guest of Xen's: that of the environment vm, as it was
// packed, which is less to carry.
func (e *Env) domainKernel(s bench.Spec) (guestKernel, error) {
	s.Settings = maps.Clone(s.Settings)
	s.Settings["boot"] = "bzimage"
	return e.kernel(s)
}

func (domainGuest) describe(_, _ []string) (prepare, start []string) {
	return []string{"libvirt's daemon runs, is connected to, and knows what QEMU can do", "the distribution's disk is there", "the image is made a disk",
			"the kernel is there, and an initramfs with the guest's init is built"},
		[]string{"listen for the console and the guest's port", "make a layer over the distribution's disk", "libvirt starts QEMU and configures it",
			"firmware, boot loader, Xen, dom0's kernel, initramfs, systemd and its units, until the lab's has Xen's daemons",
			"xl makes a guest, and gives it the image's disk", "the guest's kernel boots and unpacks the initramfs", "the guest's init mounts the image's disk, and a layer over it", "execute"}
}

func (v domainGuest) prepare(ctx context.Context, i *instance) error {
	e, s := i.env, i.spec
	k, err := e.domainKernel(s)
	if err != nil {
		return err
	}
	drivers, err := e.closure(k, xenDrivers)
	if err != nil {
		return err
	}
	initrd, err := disk.Initramfs(e.tb.Cache, image.Ref{Digest: "none"}, true, drivers)
	if err != nil {
		return err
	}
	e.giveFile(initrd)
	line, err := domain.Cmdline{Xen: true, Init: disk.InitPath,
		Args: wire.Boot{Root: true, Dev: domain.XenDisk, Name: s.Hostname, Port: "/dev/hvc0"}.Words()}.String()
	if err != nil {
		return err
	}
	cfg, err := domain.XL{Name: wire.DomainName, Type: s.Settings["domain"], Kernel: wire.DomainKernel, Initrd: wire.DomainInitrd, Cmdline: line,
		Disk: "/dev/disk/by-id/virtio-" + wire.RootSerial, Memory: sizeOfDomain(s), CPUs: i.cfg.CPUs}.Config()
	if err != nil {
		return err
	}
	packed, err := os.ReadFile(k.file)
	if err != nil {
		return err
	}
	files, err := os.ReadFile(initrd)
	if err != nil {
		return err
	}
	i.cfg.SVM = s.Settings["domain"] == "pvh" // under TCG; KVM's CPU has what it has
	return i.prepareDistro(ctx, wire.Boot{Domain: wire.Domain{Type: s.Settings["domain"], Config: int64(len(cfg)), Kernel: int64(len(packed))}},
		bytes.Join([][]byte{[]byte(cfg), packed, files}, nil))
}
