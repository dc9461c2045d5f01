package domain

import (
	"errors"
	"fmt"
	"net/netip"

	"libvirt.org/go/libvirtxml"
)

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
