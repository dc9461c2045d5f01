package domain

import (
	"errors"
	"fmt"
	"strings"
)

// An XL is a guest of Xen's, as Xen's own tool makes it. Paths are those of dom0.
type XL struct {
	Name string
	Type string // "pv" or "pvh"

	Kernel, Initrd, Cmdline string

	Disk   string // the device that the guest has as XenDisk, to read
	Memory int64  // bytes of RAM
	CPUs   int    // virtual CPUs
}

// XenDisk is where a guest of Xen's has its disk.
const XenDisk = "/dev/xvda"

// Config writes the guest's configuration (xl.cfg(5)). It is a pure function.
//
// The guest has a disk and its console, and nothing else: no network, and no screen, for
// which dom0 would run a QEMU. However it ends, it is gone then, and its console with it.
func (x XL) Config() (string, error) {
	if x.Type != "pv" && x.Type != "pvh" {
		return "", fmt.Errorf("xl: a guest's type is pv or pvh, and not %q", x.Type)
	}
	if x.Memory < 1<<20 || x.CPUs < 1 {
		return "", fmt.Errorf("xl: %d bytes of memory and %d CPUs are too few", x.Memory, x.CPUs)
	}
	var b strings.Builder
	for _, v := range []struct{ name, text string }{{"name", x.Name}, {"type", x.Type}, {"kernel", x.Kernel}, {"ramdisk", x.Initrd}, {"cmdline", x.Cmdline}, {"disk", x.Disk}} {
		// xl's strings have escapes, and a configuration has no need of them.
		if v.text == "" {
			return "", errors.New("xl: a guest needs a " + v.name)
		}
		for _, r := range v.text {
			if r < ' ' || r > '~' || r == '"' || r == '\\' || v.name == "disk" && r == ',' {
				return "", fmt.Errorf("xl: %s %q: it has %q in it", v.name, v.text, r)
			}
		}
		if v.name != "disk" {
			fmt.Fprintf(&b, "%s = \"%s\"\n", v.name, v.text)
		}
	}
	fmt.Fprintf(&b, "memory = %d\nvcpus = %d\n", x.Memory>>20, x.CPUs)
	fmt.Fprintf(&b, "disk = [\"%s,raw,%s,r\"]\n", x.Disk, strings.TrimPrefix(XenDisk, "/dev/"))
	for _, end := range []string{"poweroff", "reboot", "crash"} {
		fmt.Fprintf(&b, "on_%s = \"destroy\"\n", end)
	}
	return b.String(), nil
}
