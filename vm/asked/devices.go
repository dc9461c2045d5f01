package asked

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/image"
	"lab/bench/probe/guestinit/wire"
	"lab/bench/request"
	"lab/bench/testbed"
	"lab/bench/usercache"
	"lab/vm/disk"
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

// Staged says whether a guest begins with the lab's init: because it was asked
// for, or because a device needs a driver that distributions build as a module,
// which somebody has to load, or because the machine is to have a name.
func Staged(s bench.Spec) bool {
	return s.Init || s.Settings["root"] == "ext4" || HasDisk(s) || HasCard(s) || len(s.Mounts) > 0 || s.Hostname != ""
}

// Modules are those that the guest's init loads: virtio's PCI transport, and a
// driver of each device that the guest has. What a kernel has built in is left
// out later.
func Modules(s bench.Spec) (out []string) {
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
	case !HasCard(s):
	case s.Settings["nic"] == "e1000":
		out = append(out, "e1000")
	default:
		out = append(out, "virtio_pci", "virtio_net")
	}
	return out
}

// HasCard says whether the guest has a network card.
func HasCard(s bench.Spec) bool { n := s.Settings["net"]; return n != "" && n != "none" }

// defaultNetwork is the network that libvirt's packages define.
const defaultNetwork = "default"

// NetworkName is the network that a Spec asks for; "" where it asks for none.
func NetworkName(s bench.Spec) string {
	switch {
	case s.Settings["net"] != "network":
		return ""
	case s.Settings["network"] == "":
		return defaultNetwork
	}
	return s.Settings["network"]
}

// DataDir is where a guest has its data disk.
const DataDir = "/data"

// minDisk is below what a file system with a journal fits on.
const minDisk = 16 << 20

// HasDisk says whether it has a disk of its own.
func HasDisk(s bench.Spec) bool { d := s.Settings["disk"]; return d != "" && d != "none" }

// CheckDisk says whether this machine can have the data disk.
func CheckDisk(s bench.Spec, tb *testbed.Testbed) error {
	if s.Work && tb.Work == "" {
		return bench.ErrNoWork
	}
	if s.Work && !HasDisk(s) {
		return bench.NotApplicable("a guest without a data disk writes into its RAM", "--variant disk=virtio")
	}
	if !HasDisk(s) {
		return nil
	}
	set := s.Settings
	size, err := request.ParseSize(set["disk-size"])
	cache := set["cache"]
	switch direct := cache == "none" || cache == "directsync"; {
	case err != nil:
		return bench.NotApplicable(fmt.Sprintf("disk-size=%s is %v", set["disk-size"], err), "--variant disk-size=1G")
	case size < minDisk:
		return bench.NotApplicable(fmt.Sprintf("disk-size=%s is too small for a file system", set["disk-size"]), "--variant disk-size=1G")
	case set["disk"] == "ide" && set["machine"] != "pc":
		return bench.NotApplicable("machine "+set["machine"]+" has no IDE", "--variant machine=pc")
	case set["io"] == "native" && !direct:
		return bench.NotApplicable("io=native goes past the host's page cache, and cache="+cache+" doesn't", "--variant cache=none, or io=threads")
	case direct && !disk.TakesDirect(WorkDir(tb)):
		return bench.Unavailable("the file system of "+WorkDir(tb)+" takes no I/O past its page cache (O_DIRECT)", "--variant cache=writeback")
	}
	var st unix.Statfs_t
	if err := unix.Statfs(WorkDir(tb), &st); err != nil {
		return bench.Unavailable(fmt.Sprintf("%s: %v", WorkDir(tb), err), "")
	}
	if free := int64(st.Bavail) * st.Bsize; free < size {
		return bench.Unavailable(fmt.Sprintf("%s has %d MiB left, and the disk takes %d MiB", WorkDir(tb), free>>20, size>>20), "make room there, or --variant disk-size=…")
	}
	if _, err := image.FindTool("mkfs.ext4"); err != nil {
		return bench.Unavailable(err.Error(), usercache.SetUp("e2fsprogs"))
	}
	return nil
}

// A folder of the host reaches a guest through virtiofs: a process on the host,
// virtiofsd, which libvirt starts beside QEMU, does what the guest's kernel asks
// for, and both share the guest's memory. As with a container's bind mount
// nothing is copied, and both sides see each other's writes.

// virtiofsd's places; newer distributions have it in a package of its own.
var virtiofsds = []string{"/usr/lib/qemu/virtiofsd", "/usr/libexec/virtiofsd", "/usr/lib/virtiofsd", "/usr/libexec/qemu/virtiofsd"}

// maxShares is how many there is room for on the root bus.
const maxShares = 8

// CheckShares says whether this machine can show a guest the host's folders.
func CheckShares(s bench.Spec) error {
	if len(s.Mounts) == 0 {
		return nil
	}
	if len(s.Mounts) > maxShares {
		return bench.NotApplicable(fmt.Sprintf("a guest can be shown %d folders at most", maxShares), "show a folder that holds them")
	}
	for _, m := range s.Mounts {
		if st, err := os.Stat(m.Source); err != nil || !st.IsDir() {
			return bench.NotApplicable(m.Source+" isn't a folder, and a guest can be shown nothing else", "show its folder")
		}
		if filepath.Clean(m.Target) == "/" {
			return bench.NotApplicable("a folder can't be the guest's root", "name the folder with --image")
		}
	}
	for _, path := range virtiofsds {
		if _, err := exec.LookPath(path); err == nil {
			return nil
		}
	}
	return bench.Unavailable("virtiofsd, through which a guest sees the host's folders, isn't installed", "apt-get install virtiofsd, or put the files into the image")
}

// Shares are a Spec's mounts, as the guest's init has to mount them.
func Shares(s bench.Spec) (out []wire.Share) {
	for n, m := range s.Mounts {
		out = append(out, wire.Share{Tag: fmt.Sprintf("lab-%d", n), Dir: filepath.Clean(m.Target), ReadOnly: m.ReadOnly})
	}
	return out
}

// Boot says what the guest's init has to set up.
func Boot(s bench.Spec, n wire.Net) wire.Boot {
	b := wire.Boot{Root: s.Settings["root"] == "ext4", Net: n, Shares: Shares(s), Name: s.Hostname}
	if HasDisk(s) {
		b.Data = DataDir
	}
	return b
}

// WorkDir is the folder of the writable disks. It lies on a real file system, where
// that of the testbed is RAM.
func WorkDir(tb *testbed.Testbed) string {
	if tb.Work != "" {
		return tb.Work
	}
	return tb.Cache
}
