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
	return s.Init || s.Settings["root"] == "ext4"
}

// modules are those that the guest's init loads: the PCI transport, and a
// driver of each device that the guest has.
func modules(s bench.Spec) []string {
	out := []string{"virtio_pci"}
	if s.Init {
		out = append(out, "virtio_console")
	}
	if s.Settings["root"] == "ext4" {
		out = append(out, "virtio_blk", "overlay")
	}
	return out
}

// boot says what the guest's init has to set up.
func boot(s bench.Spec) wire.Boot {
	return wire.Boot{Root: s.Settings["root"] == "ext4"}
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
