package vm

import (
	"cmp"
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/cgroup"
	"lab/bench/probe/guestinit/wire"
	"lab/bench/testbed"
	"lab/vm/accel"
	"lab/vm/asked"
	"lab/vm/disk"
	"lab/vm/domain"
	"lab/vm/kernel"
)

// lastWords keeps a guest in a foreign libvirt for a second after the end of its PID 1.
// Its console there is a pseudo-terminal, which takes what wasn't read with it when QEMU
// ends (the kernel's tty_vhangup): a busy machine reads late. The later of two such
// parameters counts.
const lastWords = "panic=1"

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
	line, err := asked.Cmdline(s, asked.Boot(s, net))
	if err != nil { // Start says it
		i.err = err
		return nil
	}
	if !i.cfg.ACPI {
		// Or the kernel says on the console that it misses the tables.
		line.More = append(line.More, "acpi=off")
	}
	if i.cfg.Remote {
		line.More = append(line.More, lastWords)
	} else if i.cfg.Accel != "kvm" {
		// Or its clock has long ticks where it can't measure that itself, on a busy machine.
		if khz := accel.TSC(); khz > 0 {
			line.More = append(line.More, "tsc_early_khz="+strconv.FormatInt(khz, 10))
		}
	}
	more, err := asked.Append(s)
	if err != nil {
		return err
	}
	line.More = append(line.More, more...)
	if i.cfg.Cmdline, err = line.String(); err != nil {
		return bench.Blamed(bench.BlameWorkload, err)
	}
	if err := i.addRoot(ctx, s, k); err != nil {
		return err
	}
	addData(&i.cfg, s)
	for n, x := range asked.Shares(s) {
		i.cfg.Shares = append(i.cfg.Shares, domain.Share{Tag: x.Tag, Dir: i.shareDir(n)})
	}
	_, err = e.libvirt.Connection(ctx)
	return err
}

// addRoot gives the domain the image: as a disk, or in the initramfs.
func (i *instance) addRoot(ctx context.Context, s bench.Spec, k guestKernel) error {
	e, c := i.env, &i.cfg
	inner := s.Image
	if s.Settings["root"] == "ext4" {
		if err := i.addImage(ctx); err != nil {
			return err
		}
		inner.Dir, inner.Digest = "", "none"
	}
	var drivers []kernel.Module
	if asked.Staged(s) {
		var err error
		if drivers, err = e.drivers(k, s); err != nil {
			return err
		}
	}
	path, err := disk.Initramfs(e.tb.Cache, inner, asked.Staged(s), drivers)
	if err != nil {
		return err
	}
	e.giveFile(path)
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	if err := asked.Unpacks(st.Size(), c.Memory); err != nil {
		return err
	}
	c.Initrd, err = i.put(ctx, path)
	return err
}

// addImage gives the domain the image as a disk.
func (i *instance) addImage(ctx context.Context) error {
	path, err := i.spec.Disk, error(nil)
	if path == "" {
		path, err = disk.Root(ctx, i.env.tb.Cache, i.spec.Image)
	}
	if err != nil {
		return err
	}
	i.env.giveFile(path)
	i.cfg.Root = &domain.Disk{Serial: wire.RootSerial, Bus: "virtio", ReadOnly: true}
	i.cfg.Root.File, err = i.put(ctx, path)
	return err
}

// drivers returns those modules of a kernel, and what they depend on.
func (e *Env) drivers(k guestKernel, s bench.Spec) ([]kernel.Module, error) {
	return e.closure(k, asked.Modules(s))
}

// closure returns modules by their names, and what they depend on.
func (e *Env) closure(k guestKernel, names []string) ([]kernel.Module, error) {
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

// guestKernel is a kernel and the file in the cache that is booted.
type guestKernel struct {
	kernel.Kernel
	file string
}

// kernel finds and unpacks the kernel that a Spec asks for, once.
func (e *Env) kernel(s bench.Spec) (guestKernel, error) {
	name, boot := asked.KernelName(s), s.Settings["boot"]
	e.mu.Lock()
	defer e.mu.Unlock()
	if k, ok := e.kernels[boot+" "+name]; ok {
		return k, nil
	}
	var (
		k   guestKernel
		err error
	)
	k.Kernel, err = kernel.Find(e.tb.Cache, name)
	if err != nil {
		return k, err
	}
	if boot == "bzimage" {
		k.file, err = k.Packed(e.tb.Cache)
	} else {
		k.file, err = k.ELF(e.tb.Cache)
	}
	if err != nil {
		return k, err
	}
	e.give(kernel.Folder(e.tb.Cache), k.file)
	e.kernels[boot+" "+name] = k
	return k, nil
}

// give gives files in the cache to the user whose cache it is.
func (e *Env) give(paths ...string) {
	for _, p := range paths {
		os.Lchown(p, e.tb.UID, e.tb.GID) // to be able to delete them is a comfort, no need
	}
}

// giveFile gives a file and the folder that it lies in.
func (e *Env) giveFile(path string) { e.give(filepath.Dir(path), path) }

// addData says what the domain's data disk will be; its file is made in Start.
func addData(c *domain.Config, s bench.Spec) {
	bus := s.Settings["disk"]
	if !asked.HasDisk(s) {
		return
	}
	c.Data = &domain.Disk{Serial: wire.DataSerial, Bus: bus, Cache: s.Settings["cache"], IO: s.Settings["io"], Writes: s.Limits.IO.WriteBytes}
}

// config is the domain for a Spec, but for what tells one instance from
// another.
func (e *Env) config(s bench.Spec) domain.Config {
	c := domain.Config{
		Testbed:  e.tb.ID,
		Accel:    e.resolve(s.Settings["accel"]),
		CPU:      e.accel.CPU,
		Machine:  s.Settings["machine"],
		Emulator: e.emulator,
		Memory:   asked.Memory(s),
		CPUs:     asked.CPUs(s),
		CPUSet:   s.Limits.CPUSet,
		TBCache:  asked.TBCache(s),
		ACPI:     asked.ACPI(s) == "on",
	}
	if c.Machine == "" {
		c.Machine = "q35"
	}
	if s.Settings["firmware"] == "qboot" {
		c.Firmware = accel.Qboot
	}
	return c
}

// allowed are the processors that the lab itself may run on, where these aren't all
// of the machine's: libvirt lets a guest's QEMU run on any, unlike whatever else the
// lab starts.
func allowed() string {
	var may unix.CPUSet
	if unix.SchedGetaffinity(0, &may) != nil {
		return ""
	}
	text, err := os.ReadFile("/sys/devices/system/cpu/online")
	if err != nil || may.Count() == len(cgroup.CPUs(strings.TrimSpace(string(text)))) {
		return ""
	}
	var list []string
	for n := range 8 * int(unsafe.Sizeof(may)) {
		if may.IsSet(n) {
			list = append(list, strconv.Itoa(n))
		}
	}
	return strings.Join(list, ",")
}

// cardName is what every Linux calls its first network card, where nothing
// renames it.
const cardName = "eth0"

// userNet is QEMU's user-mode network: the guest's address and the gateway, which
// is QEMU. They are the same for every guest, as each has such a network for
// itself.
var userNet = wire.Net{
	Name:    cardName,
	Addr:    netip.MustParsePrefix("10.0.2.15/24"),
	Gateway: netip.MustParseAddr("10.0.2.2"),
}

// HostAddr is the gateway of QEMU's user-mode network, which hands what is sent
// there to the host's loopback device.
func (e *Env) HostAddr(s bench.Spec) string {
	if s.Settings["net"] == "user" {
		return userNet.Gateway.String()
	}
	return ""
}

// vhost says whether the host's kernel moves a guest's packets: it needs KVM's
// interrupts.
func (e *Env) vhost(s bench.Spec) bool {
	return s.Settings["net"] == "bridge" && s.Settings["nic"] != "e1000" &&
		e.resolve(s.Settings["accel"]) == "kvm" && exists("/dev/vhost-net")
}

// addCard gives the domain its network card, and on the bridge or a network of
// libvirt's an address, which is the instance's until release.
func (i *instance) addCard(ctx context.Context) (wire.Net, error) {
	s := i.spec
	if !asked.HasCard(s) {
		return wire.Net{}, nil
	}
	c := &domain.Card{Model: cmp.Or(s.Settings["nic"], "virtio")}
	i.cfg.Card = c
	if s.Settings["net"] == "user" {
		c.MAC = domain.MACOf(userNet.Addr.Addr())
		return userNet, nil
	}
	if name := asked.NetworkName(s); name != "" {
		addr, gateway, err := i.env.far.Lease(ctx, name)
		if err != nil {
			return wire.Net{}, err
		}
		i.addr, c.Network, c.MAC = addr, name, domain.MACOf(addr.Addr())
		return wire.Net{Name: cardName, Addr: addr, Gateway: gateway}, nil
	}
	n, err := i.env.tb.Network()
	if err != nil {
		return wire.Net{}, err
	}
	if i.addr, err = n.Lease(); err != nil {
		return wire.Net{}, err
	}
	i.network = n
	c.MAC, c.Bridge, c.Tap, c.VHost = domain.MACOf(i.addr.Addr()), testbed.Bridge, testbed.BridgePort(i.addr), i.env.vhost(s)
	return wire.Net{Name: cardName, Addr: i.addr, Gateway: n.Gateway}, nil
}

// release gives the address back. The port on the bridge went with QEMU, which
// held it.
func (i *instance) release() {
	if i.network != nil {
		i.network.Release(i.addr)
		i.network = nil
	}
	if c := i.cfg.Card; c != nil && c.Network != "" {
		i.env.far.GiveBack(c.Network, i.addr)
	}
}

// Addr is the guest's address on the bridge, or on a network of a foreign
// libvirt's, where others on that network reach it and the testbed doesn't; else
// "".
func (i *instance) Addr() string {
	if !i.addr.IsValid() {
		return ""
	}
	return i.addr.Addr().String()
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
