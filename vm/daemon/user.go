package daemon

import (
	"bytes"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// QEMU runs as nobody whom the machine knows: each domain as a user of its own,
// all in one group, which may open /dev/kvm. So no QEMU can touch another's
// memory or files, and none anything of the machine's.
const (
	// SpareID is the first of the numbers. systemd's list of users and groups
	// (UIDS-GIDS.md) gives the range from 1879048192 on to nobody.
	SpareID = 2_000_000_000

	// spareIDs is how many are used, again and again.
	spareIDs = 10_000
)

// QEMUGroup is the group of all QEMUs, and the user as whom libvirt asks QEMU what
// it can do.
var QEMUGroup = sync.OnceValue(func() int {
	most := uint64(SpareID)
	for _, name := range []string{"uid_map", "gid_map"} {
		b, err := os.ReadFile("/proc/self/" + name)
		if err == nil {
			most = min(most, lastID(b)-2*spareIDs)
		}
	}
	return int(most)
})

// lastID is the highest number that a user namespace's map has (user_namespaces
// (7)): in a container without privileges there are often only 65536.
func lastID(table []byte) (last uint64) {
	for line := range bytes.Lines(table) {
		var inside, outside, count uint64
		if n, _ := fmt.Sscan(string(line), &inside, &outside, &count); n == 3 && count > 0 {
			last = max(last, inside+count-1)
		}
	}
	return max(last, 2*spareIDs)
}

// UserOf is the user that the nth domain's QEMU runs as.
func UserOf(n int64) int { return QEMUGroup() + 1 + int(n)%(spareIDs-1) }

// bound keeps what the calling thread starts from ever gaining a capability. The
// daemon, which is root, keeps those that it has: they are inherited, and not
// gained. What it starts as another user has none and gets none, whatever it
// executes; libvirt itself leaves QEMU the whole bounding set. no_new_privs is left
// to the filters that QEMU and virtiofsd install, which set it: were it the daemon's,
// AppArmor would refuse to let QEMU out of the daemon's profile, as Debian's says.
func bound() error {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&head, &data[0]); err != nil {
		return os.NewSyscallError("capget", err)
	}
	for i := range data {
		data[i].Inheritable = data[i].Permitted
	}
	if err := unix.Capset(&head, &data[0]); err != nil {
		return os.NewSyscallError("capset", err)
	}
	for c := 0; ; c++ {
		err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0)
		switch err {
		case nil:
		case unix.EINVAL, // past the kernel's last one
			unix.EPERM: // without CAP_SETPCAP the set stays, and QEMU's effective one is as empty
			return nil
		default:
			return fmt.Errorf("drop capability %d: %w", c, err)
		}
	}
}
