package vm

import (
	"context"

	"lab/bench"
	"lab/bench/probe/guestinit/wire"
)

// What a Spec's settings come to in devices, and what the guest's init has to
// know of them.

// staged says whether a guest begins with the lab's init: because it was asked
// for, or because a device needs a driver that distributions build as a module,
// which somebody has to load.
func staged(s bench.Spec) bool {
	return s.Init || s.Settings["root"] == "ext4" || hasDisk(s)
}

// modules are those that the guest's init loads: virtio's PCI transport, and a
// driver of each device that the guest has.
func modules(s bench.Spec) (out []string) {
	if s.Init {
		out = append(out, "virtio_pci", "virtio_console")
	}
	if s.Settings["root"] == "ext4" {
		out = append(out, "virtio_pci", "virtio_blk", "overlay")
	}
	switch s.Settings["disk"] {
	case "virtio":
		out = append(out, "virtio_pci", "virtio_blk")
	case "ide": // whose disks are SCSI's to Linux
		out = append(out, "ata_piix", "sd_mod")
	}
	return out
}

// boot says what the guest's init has to set up.
func boot(s bench.Spec) wire.Boot {
	b := wire.Boot{Root: s.Settings["root"] == "ext4"}
	if hasDisk(s) {
		b.Data = DataDir
	}
	return b
}

// addRoot gives the domain the image: as a disk, or in the initramfs.
func (e *Env) addRoot(ctx context.Context, c *Config, s bench.Spec, k guestKernel) error {
	inner := s.Image
	if s.Settings["root"] == "ext4" {
		path, err := rootDisk(ctx, e.tb.Cache, s.Image)
		if err != nil {
			return err
		}
		e.giveFile(path)
		c.Root = &Disk{Serial: wire.RootSerial, Bus: "virtio", File: e.inside(path), ReadOnly: true}
		inner.Dir, inner.Digest = "", "none"
	}
	path, err := initramfs(e.tb.Cache, inner, s, k)
	if err != nil {
		return err
	}
	e.giveFile(path)
	c.Initrd = e.inside(path)
	return nil
}
