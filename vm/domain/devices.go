package domain

import (
	"errors"
	"fmt"
	"net/netip"

	"libvirt.org/go/libvirtxml"
)

// A Disk is a file of the host that a guest has for a disk.
type Disk struct {
	Serial   string // by which the guest's init finds it
	Bus      string // "virtio" or "ide"
	File     string // raw, as the libvirt daemon sees it
	Backing  string // a raw file that isn't written to; then File is a layer over it, in QEMU's own format
	ReadOnly bool
	Cache    string // QEMU's cache mode: "none", "writeback", …; "" is QEMU's own
	IO       string // how QEMU does I/O: "threads" or "native"; "" is QEMU's own
	Writes   int64  // the most bytes that it lets through in a second; 0: any
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

	slotSystem uint = 24
	slotInit   uint = 25
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
	if d.Backing != "" {
		out.Driver.Type = "qcow2"
		out.BackingStore = &libvirtxml.DomainDiskBackingStore{Format: &libvirtxml.DomainDiskFormat{Type: "raw"},
			Source: &libvirtxml.DomainDiskSource{File: &libvirtxml.DomainDiskSourceFile{File: d.Backing}}}
	}
	if slot == slotSystem {
		out.Boot = &libvirtxml.DomainDeviceBoot{Order: 1}
	}
	if d.Writes > 0 {
		out.IOTune = &libvirtxml.DomainDiskIOTune{WriteBytesSec: uint64(d.Writes)}
	}
	if d.ReadOnly {
		out.ReadOnly = &libvirtxml.DomainDiskReadOnly{}
	}
	return out
}

// disks are the devices for a domain's disks.
func (c Config) disks() (out []libvirtxml.DomainDisk) {
	of := make(map[string]int) // disks so far, by bus
	for _, d := range []struct {
		disk *Disk
		slot uint
	}{{c.System, slotSystem}, {c.Root, slotRoot}, {c.Data, slotData}, {c.Init, slotInit}} {
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

// A Card is a guest's network card.
type Card struct {
	Model  string // "virtio" or "e1000"
	MAC    string
	Bridge string // the host's bridge, whose port Tap becomes; without it and Network it is QEMU's user-mode network
	Tap    string // name of the device that libvirt makes on the host
	VHost  bool   // the host's kernel moves virtio's packets, and not QEMU

	Network string // a network of libvirt's own, by its name
}

// MACOf is the MAC address that goes with an address on the bridge, in the range
// that QEMU's cards have. The same pairs always: neighbours that remember one
// aren't wrong.
func MACOf(a netip.Addr) string {
	b := a.As4()
	return fmt.Sprintf("52:54:00:%02x:%02x:%02x", b[1], b[2], b[3])
}

// card is the device.
func (c *Card) card() []libvirtxml.DomainInterface {
	if c == nil {
		return nil
	}
	out := libvirtxml.DomainInterface{
		MAC:     &libvirtxml.DomainInterfaceMAC{Address: c.MAC},
		Model:   &libvirtxml.DomainInterfaceModel{Type: c.Model},
		Address: onRootBus(slotCard),
		// No boot ROM, which firmware would run to look for a server.
		ROM: &libvirtxml.DomainROM{Enabled: "no"},
	}
	switch {
	case c.Network != "":
		out.Source = &libvirtxml.DomainInterfaceSource{Network: &libvirtxml.DomainInterfaceSourceNetwork{Network: c.Network}}
	case c.Bridge != "":
		out.Source = &libvirtxml.DomainInterfaceSource{Bridge: &libvirtxml.DomainInterfaceSourceBridge{Bridge: c.Bridge}}
		out.Target = &libvirtxml.DomainInterfaceTarget{Dev: c.Tap}
	default:
		out.Source = &libvirtxml.DomainInterfaceSource{User: &libvirtxml.DomainInterfaceSourceUser{}}
	}
	if c.Model == "virtio" && out.Source.User == nil {
		// Who moves the packets is named. Otherwise libvirt would choose, and fall
		// back in silence.
		out.Driver = &libvirtxml.DomainInterfaceDriver{Name: "qemu"}
		if c.VHost {
			out.Driver.Name = "vhost"
		}
	}
	return []libvirtxml.DomainInterface{out}
}

func (c *Card) validate() error {
	switch {
	case c == nil:
		return nil
	case c.Model != "virtio" && c.Model != "e1000":
		return fmt.Errorf("a network card is virtio or e1000, and not %q", c.Model)
	case c.MAC == "":
		return errors.New("a network card needs a MAC address")
	case c.Network != "" && c.Bridge != "":
		return errors.New("a network card is on a bridge or on a network of libvirt's, and not on both")
	case (c.Bridge == "") != (c.Tap == ""):
		return errors.New("a port of a bridge needs both their names")
	case c.VHost && (c.Model != "virtio" || c.Bridge == ""):
		return errors.New("vhost is for virtio on a bridge")
	}
	return nil
}
