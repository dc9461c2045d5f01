package vm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"lab/bench/results"
)

func Probe(ctx context.Context, cache string) (results.Acceleration, error) {
	return results.Acceleration{Use: "tcg", Reason: "TODO"}, nil
}

// kvmOpens says why /dev/kvm can't be used at all, or nil.
func kvmOpens() error {
	fd, err := unix.Open("/dev/kvm", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: "/dev/kvm", Err: err}
	}
	defer unix.Close(fd)
	const getAPIVersion = 0xae00 // KVM_GET_API_VERSION, always 12 (Documentation/virt/kvm/api.rst)
	if v, err := unix.IoctlRetInt(fd, getAPIVersion); err != nil || v != 12 {
		return fmt.Errorf("/dev/kvm doesn't speak KVM's interface 12: %d, %v", v, err)
	}
	return nil
}

// capsKey names what QEMU's capabilities depend on: the program's file, and the
// kernel that it runs on.
func capsKey(emulator string) (string, error) {
	var st unix.Stat_t
	if err := unix.Stat(emulator, &st); err != nil {
		return "", &os.PathError{Op: "stat", Path: emulator, Err: err}
	}
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "", os.NewSyscallError("uname", err)
	}
	h := sha256.Sum256(fmt.Appendf(nil, "%s %d %d %d %s", emulator, st.Size, st.Mtim.Nano(), st.Ctim.Nano(),
		unix.ByteSliceToString(u.Release[:])))
	return hex.EncodeToString(h[:8]), nil
}
