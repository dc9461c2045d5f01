package vm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/image"
	"lab/bench/pagecache"
	"lab/bench/probe/guestinit/wire"
	"lab/vm/daemon"
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
func (i *instance) Cool() error {
	if i.data == nil {
		return nil
	}
	err := pagecache.DropFile(i.data.f)
	if stayed := (*pagecache.StayedError)(nil); err == nil || errors.As(err, &stayed) {
		return nil
	}
	return fmt.Errorf("data disk: %w", err)
}

// A dataDisk is the file behind a guest's data disk. It has no name: it is gone
// when the last descriptor on it is closed, the lab's and QEMU's, however they
// end.
type dataDisk struct {
	f    *os.File
	dir  string
	name string // on a file system that has no files without one, until QEMU has it
}

// newDataDisk makes a file of a size in a folder, with an empty file system in
// it. All of its room is taken at once: a disk that turned out to be too large
// for its host would make the guest stand still half way.
func newDataDisk(ctx context.Context, dir string, size int64) (d *dataDisk, err error) {
	sweepDisks(dir)
	f, name, err := newFile(dir)
	if err != nil {
		return nil, fmt.Errorf("data disk: %w", err)
	}
	d = &dataDisk{f, dir, name}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("data disk: %w", err), d.close())
			d = nil
		}
	}()
	if err := unix.Fallocate(int(f.Fd()), 0, 0, size); err != nil {
		return d, fmt.Errorf("take %d MiB of %s: %w", size>>20, dir, err)
	}
	return d, image.FormatExt4(ctx, d.path())
}

// newFile opens a new file without a name, or with one on a file system that
// can't.
func newFile(dir string) (f *os.File, name string, err error) {
	f, err = os.OpenFile(dir, unix.O_TMPFILE|os.O_RDWR, 0o600)
	if !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EISDIR) {
		return f, "", err
	}
	if f, err = os.CreateTemp(dir, diskPrefix+"*"); err == nil {
		name = f.Name()
	}
	return f, name, err
}

// path is how another process of the testbed opens the file: through the lab's
// own descriptor. A file without a name has no other path.
func (d *dataDisk) path() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), d.f.Fd()) }

// makeData makes the instance's data disk, and shows it to QEMU.
func (i *instance) makeData(ctx context.Context) error {
	size, err := bench.ParseSize(i.spec.Settings["disk-size"])
	if err != nil {
		return fmt.Errorf("data disk: %w", err)
	}
	if i.data, err = newDataDisk(ctx, i.env.work(), size); err != nil {
		return bench.Blamed(bench.BlameMachine, err)
	}
	if err := i.showData(); err != nil {
		return fmt.Errorf("data disk: %w", err)
	}
	return nil
}

// showData shows QEMU the disk, which is its own, at a place in its namespace,
// since no other user may use the lab's descriptors. The kernel mounts what has a
// name: the file gets one for these few system calls.
func (i *instance) showData() (err error) {
	d := i.data
	if err := d.f.Chown(i.cfg.User, i.cfg.Group); err != nil {
		return fmt.Errorf("%w: QEMU runs as another user, and the file system keeps no owners; fix: --work FOLDER on another", err)
	}
	if d.name == "" {
		name := filepath.Join(d.dir, diskPrefix+i.cfg.Name)
		if err := unix.Linkat(unix.AT_FDCWD, d.path(), unix.AT_FDCWD, name, unix.AT_SYMLINK_FOLLOW); err != nil {
			return &os.LinkError{Op: "link", Old: "data disk", New: name, Err: err}
		}
		d.name = name
	}
	defer func() { err = errors.Join(err, d.unname()) }()
	i.cfg.Data.File = daemon.InsideFiles + "/" + i.cfg.Name + ".data"
	return i.show(&daemon.Bind{From: d.name, To: i.cfg.Data.File, Attr: unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOSUID})
}

// diskPrefix begins the names that data disks have for a moment.
const diskPrefix = ".lab-disk-"

// sweepDisks removes the disks of labs that were killed in that moment.
func sweepDisks(dir string) {
	old, _ := filepath.Glob(filepath.Join(dir, diskPrefix+"*"))
	for _, name := range old {
		if st, err := os.Lstat(name); err == nil && st.Mode().IsRegular() && time.Since(st.ModTime()) > time.Minute {
			os.Remove(name)
		}
	}
}

// close gives the file up.
func (d *dataDisk) close() error {
	if d == nil {
		return nil
	}
	return errors.Join(d.unname(), d.f.Close())
}

func (d *dataDisk) unname() error {
	name := d.name
	if d.name = ""; name == "" {
		return nil
	}
	return os.Remove(name)
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
	case direct && !takesDirect(e.work()):
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

// takesDirect says whether files of a folder can be opened for direct I/O.
func takesDirect(dir string) bool {
	f, name, err := newFile(dir)
	if err != nil {
		return false
	}
	d := &dataDisk{f: f, name: name}
	defer d.close()
	g, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), os.O_RDWR|unix.O_DIRECT, 0)
	if err != nil {
		return false
	}
	return g.Close() == nil
}
