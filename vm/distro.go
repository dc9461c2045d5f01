package vm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"lab/bench"
	"lab/bench/image"
	"lab/bench/machine"
	"lab/bench/probe/guestinit/wire"
	"lab/bench/results"
	"lab/bench/usercache"
	"lab/vm/asked"
	"lab/vm/disk"
	"lab/vm/domain"
	"lab/vm/guest"
)

// distroCure makes the distribution guest: a matter of minutes, and so no run's.
func (e *Env) distroCure() string { return "cmd/setup/setup.sh --" + e.distro + " (minutes, 1 GB)" }

// The distributions that there are.
const (
	debian = "distro"
	xen    = "xen" // with a hypervisor below it
)

// NewDistro returns the environment vm-distro: a virtual machine with a distribution as
// its packages make it. A BIOS loads a boot loader from the disk's first sector, that the
// distribution's kernel and initramfs, systemd starts some dozens of units, and one of
// them is the lab's. The workload is in the image, as everywhere, and the image a second
// disk.
func NewDistro() *Env {
	a := about()
	a.Extra, a.Long = true, true
	a.Is = "a libvirt domain with a whole Debian, from its boot loader on"
	a.Needs = "root, QEMU, libvirt's daemon, a Debian on a disk (setup.sh --distro); KVM to be fast"
	a.Caveat = "a distribution as its packages make it, whose systemd starts the workload as one unit among others"
	e := &Env{name: "vm-distro", distro: debian}
	a.More = "The disk is made once, by " + e.distroCure() + ", and never written to: each guest has a layer of its own over it. " +
		"The unit runs the lab's guest init in new mount, PID and name namespaces, with the image as its root: the distribution's kernel and services are around it, its files aren't."
	a.Rests = append(a.Rests, bench.RestsOn("busybox", "memory", "disk")...)
	e.about = a
	return e
}

// NewEngine returns the guests in which the environment docker-vm has its engine: such a
// distribution, which starts its Docker as well. It listens on the bridge. The workload has
// the distribution's own root.
func NewEngine() *Env {
	e := NewDistro()
	e.name, e.engine, e.room = "vm-engine", true, "1G"
	return e
}

// distroGuest is such a guest, in the lab's own libvirt.
type distroGuest struct{ coldGuest }

// distroFile is a file of the distribution guest's, in a cache.
func (e *Env) distroFile(cache, name string) string { return filepath.Join(cache, e.distro, name) }

// distroKernel is what the set-up wrote down of its kernel.
func (e *Env) distroKernel(cache string) (d results.Digested, err error) {
	b, err := os.ReadFile(e.distroFile(cache, "kernel"))
	if err == nil {
		_, err = fmt.Sscan(string(b), &d.Name, &d.Digest, &d.Size)
		d.Digest = "sha256:" + d.Digest
	}
	return d, err
}

// Checks is doctor's: whether there is a distribution guest.
func (e *Env) Checks(context.Context) []machine.Check {
	if e.distro == "" {
		return nil
	}
	c := machine.Check{Name: "guest of " + e.name, Result: machine.OK, Why: e.name + " boots it from its disk"}
	cache, err := usercache.Dir()
	if err == nil {
		var k results.Digested
		k, err = e.distroKernel(cache)
		c.Detail = "with kernel " + k.Name
	}
	if err != nil {
		c.Result, c.Detail, c.Cure = machine.Fail, "none in the cache", e.distroCure()
	}
	return []machine.Check{c}
}

func (v distroGuest) refuses(s bench.Spec) error {
	switch {
	case s.Work:
		return bench.NotApplicable("a distribution guest has no disk of the workload's own", "--env vm")
	case len(s.Mounts) > 0:
		return bench.NotApplicable("a distribution guest isn't shown the host's folders", "--env vm")
	}
	return nil
}

// checkDistro says whether this machine has the guest.
func (e *Env) checkDistro(ctx context.Context, s bench.Spec) error {
	if e.far != nil {
		return bench.NotApplicable("its disk is a file of this machine's", "without --connect")
	}
	if _, err := e.distroKernel(e.tb.Cache); err != nil {
		return bench.Unavailable("there is no distribution guest yet", e.distroCure())
	}
	if _, err := guest.Init(); err != nil {
		return bench.Unavailable(err.Error(), "make build")
	}
	if err := e.checkCard(ctx, s); err != nil {
		return err
	}
	if _, err := image.FindTool("mkfs.ext4"); err != nil {
		return bench.Unavailable(err.Error(), "make setup")
	}
	if asked.InDomain(s) {
		return e.checkDomain(s)
	}
	return nil
}

func (distroGuest) describe(_, _ []string) (prepare, start []string) {
	return []string{"libvirt's daemon runs, is connected to, and knows what QEMU can do", "the distribution's disk is there", "the image is made a disk"},
		[]string{"listen for the console and the guest's port", "make a layer over the distribution's disk", "libvirt starts QEMU and configures it",
			"firmware, boot loader, kernel, initramfs, systemd and its units, until the lab's has the image as its root", "execute"}
}

func (v distroGuest) prepare(ctx context.Context, i *instance) error {
	net, err := i.addCard(ctx)
	if err != nil {
		return err
	}
	return i.prepareDistro(ctx, wire.Boot{Root: !i.env.engine, Engine: i.env.engine, Net: net, Name: i.spec.Hostname}, nil)
}

// prepareDistro gives the domain its disks: the distribution's, the image's, and one with
// the init that the lab's unit is to run, and how, with what follows on its program.
func (i *instance) prepareDistro(ctx context.Context, b wire.Boot, more []byte) (err error) {
	e, c := i.env, &i.cfg
	c.ACPI = true
	c.System = &domain.Disk{Serial: "lab-system", Bus: "virtio", File: e.own.Inside(i.file(".system"))}
	if c.System.Backing, err = i.put(ctx, e.distroFile(e.tb.Cache, "disk")); err != nil {
		return err
	}
	if !e.engine {
		if err := i.addImage(ctx); err != nil {
			return err
		}
	}
	// It comes with the lab, so that it fits it.
	init, err := guest.Init()
	if err != nil {
		return err
	}
	b.Domain.At = int64(len(init))
	// A file of the instance's: another has another address, or a domain of another size.
	name := i.file(".init")
	words := make([]byte, wordsRoom, wordsRoom+len(init)+len(more))
	if text := strings.Join(b.Words(), " "); copy(words, text) < len(text) {
		return errors.New("the guest's init: its arguments are too long")
	}
	if err := os.WriteFile(name, append(append(words, init...), more...), 0o644); err != nil {
		return err
	}
	c.Init = &domain.Disk{Serial: "lab-init", Bus: "virtio", ReadOnly: true}
	if c.Init.File, err = i.put(ctx, name); err != nil {
		return err
	}
	_, err = e.libvirt.Connection(ctx)
	return err
}

// wordsRoom is where the init begins on its disk, after its arguments; setup-distro.sh
// knows it, too.
const wordsRoom = 4096

// distroParts are the parts of a distribution's start, each of which ends where the next
// begins: what the guest tells. Its kernel's clock begins when that has unpacked itself. The
// last four are those of a guest of Xen's; without one the unit is the last.
var distroParts = []string{"boot loader", "kernel", "initramfs", "systemd", "unit", "xl create", "guest kernel", "guest init"}

func (distroGuest) start(ctx context.Context, i *instance) (net.Conn, error) {
	return i.startHere(ctx, func(ctx context.Context) error {
		name := i.file(".system")
		st, err := os.Stat(i.env.distroFile(i.env.tb.Cache, "disk"))
		if err == nil {
			err = errors.Join(disk.Overlay(name, st.Size()), i.give(name))
		}
		if err != nil {
			return fmt.Errorf("the layer over the distribution's disk: %w", err)
		}
		return i.boot(ctx)
	})
}

func (v distroGuest) close(i *instance) error {
	err := v.coldGuest.close(i)
	for _, suffix := range []string{".system", ".init"} {
		if rerr := os.Remove(i.file(suffix)); !errors.Is(rerr, os.ErrNotExist) {
			err = errors.Join(err, rerr)
		}
	}
	return err
}
