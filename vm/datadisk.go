package vm

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/image"
	"lab/bench/probe/guestinit/wire"
	"lab/vm/daemon"
	"lab/vm/disk"
	"lab/vm/domain"
)

// DataDir is where a guest has its data disk.
const DataDir = "/data"

// minDisk is below what a file system with a journal fits on.
const minDisk = 16 << 20

// work is the folder of the writable disks. It lies on a real file system, where
// that of the testbed is RAM.
func (e *Env) work() string {
	if e.tb.Work != "" {
		return e.tb.Work
	}
	return e.tb.Cache
}

// Place is where the data disk is, with Spec.Work.
func (i *instance) Place() string { return DataDir }

// Cool drives the data disk out of the host's page cache, where it is with
// cache=writeback. Some of it may stay: the guest's own kernel writes on; and all
// of it where the work folder is RAM, as the report says.
func (i *instance) Cool() error { return i.data.Cool() }

// makeData makes the instance's data disk, and shows it to QEMU.
func (i *instance) makeData(ctx context.Context) error {
	size, err := bench.ParseSize(i.spec.Settings["disk-size"])
	if err != nil {
		return fmt.Errorf("data disk: %w", err)
	}
	if i.data, err = disk.NewData(ctx, i.env.work(), size); err != nil {
		return bench.Blamed(bench.BlameMachine, err)
	}
	i.cfg.Data.File = daemon.InsideFiles + "/" + i.cfg.Name + ".data"
	// For QEMU, which no other user's descriptors are open to, the file is mounted.
	if err := i.data.Show(i.cfg.Name, i.cfg.User, i.cfg.Group, func(name string) error {
		return i.show(&daemon.Bind{From: name, To: i.cfg.Data.File, Attr: unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOSUID})
	}); err != nil {
		return fmt.Errorf("data disk: %w", err)
	}
	return nil
}

// addData says what the domain's data disk will be; its file is made in Start.
func addData(c *domain.Config, s bench.Spec) {
	bus := s.Settings["disk"]
	if !hasDisk(s) {
		return
	}
	c.Data = &domain.Disk{Serial: wire.DataSerial, Bus: bus, Cache: s.Settings["cache"], IO: s.Settings["io"]}
}

func hasDisk(s bench.Spec) bool { d := s.Settings["disk"]; return d != "" && d != "none" }

// checkData says whether this machine can have the data disk.
func (e *Env) checkData(s bench.Spec) error {
	if s.Work && e.tb.Work == "" {
		return bench.ErrNoWork
	}
	if s.Work && !hasDisk(s) {
		return bench.NotApplicable("a guest without a data disk writes into its RAM", "--variant disk=virtio")
	}
	if !hasDisk(s) {
		return nil
	}
	set := s.Settings
	size, err := bench.ParseSize(set["disk-size"])
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
	case direct && !disk.TakesDirect(e.work()):
		return bench.Unavailable("the file system of "+e.work()+" takes no I/O past its page cache (O_DIRECT)", "--variant cache=writeback")
	}
	var st unix.Statfs_t
	if err := unix.Statfs(e.work(), &st); err != nil {
		return bench.Unavailable(fmt.Sprintf("%s: %v", e.work(), err), "")
	}
	if free := int64(st.Bavail) * st.Bsize; free < size {
		return bench.Unavailable(fmt.Sprintf("%s has %d MiB left, and the disk takes %d MiB", e.work(), free>>20, size>>20), "make room there, or --variant disk-size=…")
	}
	if _, err := image.FindTool("mkfs.ext4"); err != nil {
		return bench.Unavailable(err.Error(), "make setup")
	}
	return nil
}
