package disk

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"lab/bench/image"
	"lab/bench/usercache"
	"lab/vm/guest"
	"lab/vm/kernel"
)

// initramfsFormat changes when the same inputs give other bytes.
const initramfsFormat = 1

// Initramfs returns the path of an initramfs, building it where the cache
// doesn't have it: the image, unless it is a disk, and r without a folder; the
// device nodes without which a kernel gives PID 1 no console; and for a guest
// that begins with the lab's init, that init and the modules that it loads.
func Initramfs(cache string, r image.Ref, staged bool, drivers []kernel.Module) (string, error) {
	more := []image.Entry{
		{Name: "dev", Mode: fs.ModeDir | 0o755},
		{Name: "dev/console", Mode: fs.ModeDevice | fs.ModeCharDevice | 0o600, Device: unix.Mkdev(5, 1)},
		{Name: "dev/null", Mode: fs.ModeDevice | fs.ModeCharDevice | 0o666, Device: unix.Mkdev(1, 3)},
	}
	if staged {
		extra, err := initEntries(drivers)
		if err != nil {
			return "", err
		}
		more = append(more, extra...)
	}
	digest, err := digestOf(r)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintln(h, initramfsFormat, digest)
	for _, e := range more {
		fmt.Fprintln(h, e.Name, e.Mode, e.Device, len(e.Data))
		h.Write(e.Data)
	}
	return usercache.Keep(filepath.Join(cache, "initramfs", hex.EncodeToString(h.Sum(nil))+".cpio"), func(file string) error {
		f, err := os.Create(file)
		if err != nil {
			return err
		}
		return errors.Join(r.WriteCPIO(f, more...), f.Close())
	})
}

// InitPath is where the initramfs has the guest's init.
const InitPath = "/" + initDir + "/init"

// initDir is the folder of the guest's init in the initramfs. Init removes it
// before it executes anything: the workload sees the image and nothing else.
const initDir = ".lab"

// initEntries are the guest's init and the modules it loads, numbered in
// loading order.
func initEntries(drivers []kernel.Module) ([]image.Entry, error) {
	init, err := guest.Init()
	if err != nil {
		return nil, err
	}
	out := []image.Entry{
		{Name: initDir, Mode: fs.ModeDir | 0o700},
		{Name: initDir + "/init", Mode: 0o700, Data: init},
	}
	for i, m := range drivers {
		out = append(out, image.Entry{Name: fmt.Sprintf("%s/%02d-%s.ko", initDir, i, m.Name), Mode: 0o600, Data: m.Data})
	}
	return out, nil
}

// rootFormat changes when the same image gives another disk.
const rootFormat = 1

// Root returns the path of an image's disk, building it where the cache
// doesn't have it. Its name is the digest of what it was made of.
func Root(ctx context.Context, cache string, r image.Ref) (string, error) {
	digest, err := digestOf(r)
	if err != nil {
		return "", err
	}
	name := sha256.Sum256(fmt.Appendln(nil, rootFormat, digest))
	return usercache.Keep(filepath.Join(cache, "rootdisk", hex.EncodeToString(name[:])+".ext4"), func(file string) error {
		return r.WriteExt4(ctx, file)
	})
}

// digestOf is an image's digest, which is worked out where it isn't known.
func digestOf(r image.Ref) (string, error) {
	if r.Digest != "" {
		return r.Digest, nil
	}
	digest, _, err := image.Sum(r.Dir)
	return digest, err
}
