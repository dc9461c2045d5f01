package container

import "golang.org/x/sys/unix"

const auditArch = unix.AUDIT_ARCH_AARCH64

// refusedHere are calls that only this architecture has, or has under a number.
var refusedHere = []uint32{unix.SYS_KEXEC_FILE_LOAD}
