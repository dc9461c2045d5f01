package domain

import (
	"errors"

	"libvirt.org/go/libvirtxml"
)

// A Share is a folder of the host that a guest may mount.
type Share struct {
	Tag string // by which the guest names it
	Dir string // as the libvirt daemon sees it
}

// shares adds the devices for a domain's shared folders. The process that
// serves them reads and writes the guest's memory, which therefore can't be
// QEMU's alone.
func (c Config) shares(d *libvirtxml.Domain) {
	if len(c.Shares) == 0 {
		return
	}
	d.MemoryBacking = &libvirtxml.DomainMemoryBacking{
		MemorySource: &libvirtxml.DomainMemorySource{Type: "memfd"},
		MemoryAccess: &libvirtxml.DomainMemoryAccess{Mode: "shared"},
	}
	for n, s := range c.Shares {
		d.Devices.Filesystems = append(d.Devices.Filesystems, libvirtxml.DomainFilesystem{
			AccessMode: "passthrough",
			Driver:     &libvirtxml.DomainFilesystemDriver{Type: "virtiofs"},
			Source:     &libvirtxml.DomainFilesystemSource{Mount: &libvirtxml.DomainFilesystemSourceMount{Dir: s.Dir}},
			Target:     &libvirtxml.DomainFilesystemTarget{Dir: s.Tag},
			Address:    onRootBus(slotShare + uint(n)),
		})
	}
}

func (s Share) validate() error {
	if s.Tag == "" || s.Dir == "" {
		return errors.New("a shared folder needs a tag and a path")
	}
	return nil
}
