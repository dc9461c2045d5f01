package vm

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/launch"
	"lab/bench/probe/guestinit/wire"
	"lab/vm/disk"
	"lab/vm/domain"
	"lab/vm/kernel"
)

// What a Spec's settings come to in devices, and what the guest's init has to
// know of them.

// deviceSettings are the settings of devices.
func deviceSettings() []bench.Setting {
	return []bench.Setting{
		{Name: "root", Values: []string{auto, "initramfs", "ext4"}, Default: auto,
			Help: "what the image is to the guest: files that the kernel unpacks into RAM, or a disk (virtio) under a layer in RAM; auto is a disk if the image is too large for the guest's RAM"},
		{Name: "disk", Values: []string{"none", "virtio", "ide"}, Default: "none",
			Help: "an empty disk for the workload at " + DataDir + ": virtio's, or IDE of 1986 as QEMU emulates it (machine=pc)"},
		{Name: "disk-size", Default: "1G", Help: "that disk's size, which is reserved on the host while the guest runs"},
		{Name: "cache", Values: []string{"none", "writeback", "writethrough", "directsync", "unsafe"}, Default: "none",
			Help: "QEMU's cache mode for that disk: whether its data are in the host's page cache, too, and what a flush waits for"},
		{Name: "io", Values: []string{"threads", "native"}, Default: "threads",
			Help: "what carries out its I/O: threads of QEMU, or the host kernel's own queue (with cache=none or directsync)"},
		{Name: "net", Values: []string{"none", "bridge", "user", "network"}, Default: "none",
			Help: "network: none but loopback, a port of the testbed's bridge, QEMU's user mode, or with --connect a network of that libvirt"},
		{Name: "network", Default: "",
			Help: "with net=network: its name, as in virsh net-list; empty is " + defaultNetwork},
		{Name: "nic", Values: []string{"virtio", "e1000"}, Default: "virtio",
			Help: "the network card: virtio, or an emulated Intel card of 2002"},
	}
}

// staged says whether a guest begins with the lab's init: because it was asked
// for, or because a device needs a driver that distributions build as a module,
// which somebody has to load, or because the machine is to have a name.
func staged(s bench.Spec) bool {
	return s.Init || s.Settings["root"] == "ext4" || hasDisk(s) || hasCard(s) || len(s.Mounts) > 0 || s.Hostname != ""
}

// modules are those that the guest's init loads: virtio's PCI transport, and a
// driver of each device that the guest has. What a kernel has built in is left
// out later.
func modules(s bench.Spec) (out []string) {
	if s.Init {
		out = append(out, "virtio_pci", "virtio_console")
	}
	if s.Settings["root"] == "ext4" {
		out = append(out, "virtio_pci", "virtio_blk", "ext4", "overlay")
	}
	switch s.Settings["disk"] {
	case "virtio":
		out = append(out, "virtio_pci", "virtio_blk", "ext4")
	case "ide": // whose disks are SCSI's to Linux
		out = append(out, "ata_piix", "sd_mod", "ext4")
	}
	if len(s.Mounts) > 0 {
		out = append(out, "virtio_pci", "virtiofs")
	}
	switch {
	case !hasCard(s):
	case s.Settings["nic"] == "e1000":
		out = append(out, "e1000")
	default:
		out = append(out, "virtio_pci", "virtio_net")
	}
	return out
}

// drivers returns those modules of a kernel, and what they depend on.
func (e *Env) drivers(k guestKernel, s bench.Spec) ([]kernel.Module, error) {
	names := modules(s)
	key := k.Modules + " " + strings.Join(names, " ")
	e.mu.Lock()
	defer e.mu.Unlock()
	if m, ok := e.modules[key]; ok {
		return m, nil
	}
	m, err := kernel.Closure(k.Modules, names...)
	if err == nil {
		e.modules[key] = m
	}
	return m, err
}

// boot says what the guest's init has to set up.
func boot(s bench.Spec, n wire.Net) wire.Boot {
	b := wire.Boot{Root: s.Settings["root"] == "ext4", Net: n, Shares: shares(s), Name: s.Hostname}
	if hasDisk(s) {
		b.Data = DataDir
	}
	return b
}

// addRoot gives the domain the image: as a disk, or in the initramfs.
func (i *instance) addRoot(ctx context.Context, s bench.Spec, k guestKernel) error {
	e, c := i.env, &i.cfg
	inner := s.Image
	if s.Settings["root"] == "ext4" {
		path, err := disk.Root(ctx, e.tb.Cache, s.Image)
		if err != nil {
			return err
		}
		e.giveFile(path)
		c.Root = &domain.Disk{Serial: wire.RootSerial, Bus: "virtio", ReadOnly: true}
		if c.Root.File, err = i.put(ctx, path); err != nil {
			return err
		}
		inner.Dir, inner.Digest = "", "none"
	}
	var drivers []kernel.Module
	if staged(s) {
		var err error
		if drivers, err = e.drivers(k, s); err != nil {
			return err
		}
	}
	path, err := disk.Initramfs(e.tb.Cache, inner, staged(s), drivers)
	if err != nil {
		return err
	}
	e.giveFile(path)
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	if err := unpacks(st.Size(), c.Memory); err != nil {
		return err
	}
	c.Initrd, err = i.put(ctx, path)
	return err
}

// prepareSystem does what is particular to guests with a kernel. An error of the
// workload's is Start's, as in every environment.
func (i *instance) prepareSystem(ctx context.Context) error {
	e, s := i.env, i.spec
	k, err := e.kernel(s)
	if err != nil {
		return err
	}
	net, err := i.addCard(ctx)
	if err != nil {
		return err
	}
	if i.cfg.Kernel, err = i.put(ctx, k.file); err != nil {
		return err
	}
	line, err := cmdline(s, boot(s, net))
	var missing *launch.ExecError
	switch {
	case errors.Is(err, errNoCommand), errors.As(err, &missing):
		i.err = bench.Blamed(bench.BlameWorkload, err)
		return nil
	case err != nil:
		return bench.Blamed(bench.BlameWorkload, err)
	}
	if !i.cfg.ACPI {
		// Or the kernel says on the console that it misses the tables.
		line.More = append(line.More, "acpi=off")
	}
	if i.cfg.Cmdline, err = line.String(); err != nil {
		return bench.Blamed(bench.BlameWorkload, err)
	}
	if err := i.addRoot(ctx, s, k); err != nil {
		return err
	}
	addData(&i.cfg, s)
	for n, x := range shares(s) {
		i.cfg.Shares = append(i.cfg.Shares, domain.Share{Tag: x.Tag, Dir: i.shareDir(n)})
	}
	_, err = e.libvirt.Connection(ctx)
	return err
}

var errNoCommand = errors.New("no command")

// cmdline says who is PID 1: the workload, where the kernel alone can start it,
// or the lab's init, which then becomes the workload, or runs it.
func cmdline(s bench.Spec, b wire.Boot) (line domain.Cmdline, err error) {
	if len(s.Command.Argv) == 0 || s.Command.Argv[0] == "" {
		return line, errNoCommand
	}
	if !s.Init {
		path, err := lookup(s.Image.Dir, s.Command)
		if err != nil {
			return line, err
		}
		line.Init, line.Args, line.Env = path, s.Command.Argv[1:], kernelEnv(s.Command.Env)
	}
	if staged(s) {
		if !s.Init {
			b.Exec = append([]string{line.Init}, line.Args...)
		}
		line.Init, line.Args = disk.InitPath, b.Words()
	}
	return line, nil
}

// lookup finds the workload in the image, and gives its path in the guest.
func lookup(root string, c bench.Command) (string, error) {
	worst := &launch.ExecError{Path: c.Argv[0], Err: unix.ENOENT}
	for _, name := range launch.PathInside(c) {
		// The image's links are the guest's to follow; on the host an
		// absolute one would lead out of the image.
		st, err := os.Lstat(filepath.Join(root, name))
		switch {
		case err != nil:
		case st.IsDir(), st.Mode().IsRegular() && st.Mode()&0o111 == 0:
			worst = &launch.ExecError{Path: name, Err: unix.EACCES}
		default:
			return name, nil
		}
	}
	return "", worst
}
