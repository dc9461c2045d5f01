package launch

import (
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"lab/bench/probe"
)

// initFD is the child's descriptor of the init, closed when it executes.
const initFD = 3

// initFile makes the init's file once, in memory: no root that it will run in
// needs to have it, and nobody can write to it.
var initFile = sync.OnceValues(func() (int, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	// Linux 6.3 wants to be told that it will be executed, and older ones
	// don't know the flag.
	fd, err := unix.MemfdCreate("init", flags|unix.MFD_EXEC)
	if err == unix.EINVAL {
		fd, err = unix.MemfdCreate("init", flags)
	}
	if err != nil {
		return -1, os.NewSyscallError("memfd_create", err)
	}
	f := os.NewFile(uintptr(fd), "init")
	defer f.Close()
	if _, err := f.Write(probe.Init()); err != nil {
		return -1, err
	}
	seals := unix.F_SEAL_WRITE | unix.F_SEAL_GROW | unix.F_SEAL_SHRINK | unix.F_SEAL_SEAL
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		return -1, os.NewSyscallError("seal", err)
	}
	fd, err = unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, initFD+1)
	return fd, os.NewSyscallError("dup", err)
})
