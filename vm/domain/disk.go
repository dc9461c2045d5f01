package domain

import (
	"fmt"

	"libvirt.org/go/libvirtxml"
)

// A Disk is a file of the host that a guest has for a disk.
type Disk struct {
	Serial   string // by which the guest's init finds it
	Bus      string // "virtio" or "ide"
	File     string // raw, as the libvirt daemon sees it
	ReadOnly bool
	Cache    string // QEMU's cache mode: "none", "writeback", …; "" is QEMU's own
	IO       string // how QEMU does I/O: "threads" or "native"; "" is QEMU's own
}

// Slots of the root bus, where what the lab adds is. By itself libvirt would
// put each behind a PCI Express port, which is one device more to probe, and
// which qboot doesn't set up.
const (
	slotPort uint = 3 + iota // the port of the guest's init
	slotRoot
	slotData
	slotCard
	slotShare // and those after it
)

// onRootBus is a device's place.
func onRootBus(slot uint) *libvirtxml.DomainAddress {
	zero := uint(0)
	return &libvirtxml.DomainAddress{PCI: &libvirtxml.DomainAddressPCI{
		Domain: &zero, Bus: &zero, Slot: &slot, Function: &zero}}
}

// disk is the device for one, the first of its bus being number 0.
func (d Disk) disk(slot uint, number int) libvirtxml.DomainDisk {
	out := libvirtxml.DomainDisk{
		Device: "disk",
		Driver: &libvirtxml.DomainDiskDriver{Name: "qemu", Type: "raw", Cache: d.Cache, IO: d.IO},
		Source: &libvirtxml.DomainDiskSource{File: &libvirtxml.DomainDiskSourceFile{File: d.File}},
		Target: &libvirtxml.DomainDiskTarget{Bus: d.Bus},
		Serial: d.Serial,
	}
	letter := string(rune('a' + number))
	if d.Bus == "virtio" {
		out.Target.Dev, out.Address = "vd"+letter, onRootBus(slot)
	} else {
		out.Target.Dev = "hd" + letter // whose place libvirt works out from the name
	}
	if d.ReadOnly {
		out.ReadOnly = &libvirtxml.DomainDiskReadOnly{}
	}
	return out
}

// disks are the devices for a domain's root and data disks.
func (c Config) disks() (out []libvirtxml.DomainDisk) {
	of := make(map[string]int) // disks so far, by bus
	for _, d := range []struct {
		disk *Disk
		slot uint
	}{{c.Root, slotRoot}, {c.Data, slotData}} {
		if d.disk != nil {
			out = append(out, d.disk.disk(d.slot, of[d.disk.Bus]))
			of[d.disk.Bus]++
		}
	}
	return out
}

func (d *Disk) validate(machine string) error {
	switch {
	case d == nil:
		return nil
	case d.Serial == "" || d.File == "":
		return fmt.Errorf("a disk needs a serial number and a file: %+v", *d)
	case d.Bus != "virtio" && d.Bus != "ide":
		return fmt.Errorf("a disk's bus is virtio or ide, and not %q", d.Bus)
	case d.Bus == "ide" && machine != "pc":
		return fmt.Errorf("machine %s has no IDE", machine)
	case d.IO == "native" && d.Cache != "none" && d.Cache != "directsync":
		return fmt.Errorf("native I/O goes past the host's page cache, and the cache mode %q doesn't", d.Cache)
	}
	return nil
}
