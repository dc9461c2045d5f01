package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/probe/guestinit/wire"
)

const (
	// diskWait is how long a disk may take to come: IDE's driver looks for
	// its disks in the background.
	diskWait = 20 * time.Second

	// early is where /sys is mounted while disks are looked for.
	early = own + "/sys"
)

// disks mounts what the host said there is, and takes the lab's folder out of
// the file tree.
func disks(b wire.Boot) error {
	if !b.Root && b.Data == "" {
		return os.RemoveAll(own)
	}
	if err := (place{early, "sysfs", "", 0}).mount(); err != nil {
		return err
	}
	var root, data string
	var err error
	if b.Root {
		if root, err = findRoot(b); err != nil {
			return err
		}
	}
	if b.Data != "" {
		if data, err = findDisk(wire.DataSerial); err != nil {
			return err
		}
	}
	if err := unix.Unmount(early, 0); err != nil {
		return fmt.Errorf("unmount %s: %w", early, err)
	}
	if b.Root {
		err = newRoot(root)
	} else {
		err = os.RemoveAll(own)
	}
	if err != nil || data == "" {
		return err
	}
	if err := os.MkdirAll(b.Data, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(data, b.Data, "ext4", unix.MS_NOSUID|unix.MS_NODEV, ""); err != nil {
		return fmt.Errorf("mount %s on %s: %w", data, b.Data, err)
	}
	return nil
}

// newRoot makes the disk the root, as the image that it holds, with a layer
// over it that takes what is written, and is RAM: the disk stays as it is.
//
// The initramfs itself can't be unmounted or pivoted from (pivot_root(2)): it
// stays below, empty.
func newRoot(disk string) error {
	lower, rw, root := own+"/image", own+"/rw", own+"/root"
	upper, work := rw+"/upper", rw+"/work"
	for _, d := range []string{lower, rw, root} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return err
		}
	}
	if err := unix.Mount(disk, lower, "ext4", unix.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("mount %s: %w", disk, err)
	}
	if err := unix.Mount("tmpfs", rw, "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("mount tmpfs: %w", err)
	}
	for _, d := range []string{upper, work} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return err
		}
	}
	opts := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", lower, upper, work)
	if err := unix.Mount("overlay", root, "overlay", 0, opts); err != nil {
		return fmt.Errorf("mount overlay: %w", err)
	}
	if err := os.Chdir(root); err != nil {
		return err
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move the new root: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("enter the new root: %w", err)
	}
	return errors.Join(os.Chdir("/"), devices.mount())
}

// findRoot waits for the image's disk, and returns its device node.
func findRoot(b wire.Boot) (string, error) {
	if b.Dev == "" {
		return findDisk(wire.RootSerial)
	}
	return b.Dev, await("disk "+b.Dev, diskWait, func() (bool, error) {
		_, err := os.Stat(b.Dev) // devtmpfs has it when the driver does
		return err == nil, nil
	})
}

// findDisk waits for the disk of a serial number, and returns its device node.
func findDisk(serial string) (dev string, err error) {
	err = await("disk "+serial, diskWait, func() (bool, error) {
		// Of virtio's disks, and of SCSI's, which IDE's are to Linux.
		for _, pattern := range []string{"/block/*/serial", "/block/*/device/vpd_pg80"} {
			files, err := filepath.Glob(early + pattern)
			if err != nil {
				return false, err
			}
			for _, f := range files {
				b, err := os.ReadFile(f)
				// vpd_pg80 has a header of binary lengths, and blanks.
				if err != nil || !bytes.Contains(b, []byte(serial)) {
					continue
				}
				name, err := filepath.Rel(early+"/block", f)
				if err != nil {
					return false, err
				}
				for filepath.Dir(name) != "." {
					name = filepath.Dir(name)
				}
				dev = "/dev/" + name
				return true, nil
			}
		}
		return false, nil
	})
	return dev, err
}
