package container

import (
	"slices"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"lab/bench/launch"
)

// Capabilities say what root may do; a seccomp filter says which system calls
// any process may make at all. It closes parts of the kernel that a
// container's program has no use for and that have had holes: keys, BPF,
// kexec, userfaultfd, io_uring. It is a little program for a little machine
// (classic BPF) that the kernel runs at each call, with the call's number and
// arguments as input and a verdict as output (seccomp(2)).
//
// The engines' default profiles name some 360 calls that are allowed. The same
// set is written down here by what is refused, which is shorter and says more;
// a test holds the two against each other.

// refused are calls that a container may not make: refused with EPERM, as if a
// capability were missing. Numbers that this kernel generation doesn't know
// (above newest) and other instruction sets get ENOSYS, as if the kernel were
// older: C libraries then fall back to an older call.
var refused = []uint32{
	// The machine as a whole.
	unix.SYS_REBOOT, unix.SYS_KEXEC_LOAD, unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_ACCT,
	unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME,
	unix.SYS_SETHOSTNAME, unix.SYS_SETDOMAINNAME, unix.SYS_SYSLOG, unix.SYS_VHANGUP,
	unix.SYS_QUOTACTL, unix.SYS_QUOTACTL_FD, unix.SYS_NFSSERVCTL, unix.SYS_LOOKUP_DCOOKIE,
	// The kernel's own code.
	unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE, unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN,
	// Mounts and namespaces, by which a container is made and could be unmade.
	unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_UNSHARE, unix.SYS_SETNS,
	unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_FSPICK, unix.SYS_MOVE_MOUNT,
	unix.SYS_OPEN_TREE, unix.SYS_MOUNT_SETATTR,
	// Files by a number instead of a path: out of any root (the "shocker"
	// exploit of 2014).
	unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_FANOTIFY_INIT,
	// Keys aren't per namespace.
	unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_KEYCTL,
	// Other processes' memory and placement.
	unix.SYS_KCMP, unix.SYS_PIDFD_GETFD, unix.SYS_PROCESS_MADVISE, unix.SYS_MOVE_PAGES, unix.SYS_MIGRATE_PAGES,
	unix.SYS_MBIND, unix.SYS_SET_MEMPOLICY, unix.SYS_GET_MEMPOLICY, unix.SYS_SET_MEMPOLICY_HOME_NODE,
	// Large, new or seldom used parts that have had holes.
	unix.SYS_USERFAULTFD, unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER,
	unix.SYS_LSM_GET_SELF_ATTR, unix.SYS_LSM_SET_SELF_ATTR, unix.SYS_LSM_LIST_MODULES,
}

// newest is the last system call that refused was written with in mind:
// later ones are unknown, and unknown isn't allowed.
const newest = unix.SYS_LSM_LIST_MODULES

// The verdicts (seccomp(2), SECCOMP_RET_*).
const (
	allow  uint32 = unix.SECCOMP_RET_ALLOW
	eperm  uint32 = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	enosys uint32 = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)

	// Not verdicts but places in the program that look at an argument.
	lookClone       uint32 = 1
	lookPersonality uint32 = 2
	lookSocket      uint32 = 3
	lookJailSocket  uint32 = 4 // in a jail
)

// Offsets in struct seccomp_data: the call's number, its instruction set, the
// low halves of its first arguments (both of ours are little-endian).
const offNr, offArch, offArg0, offArg1, offArg2 = 0, 4, 16, 24, 32

// Flags of clone(2) that make a namespace. CLONE_NEWTIME isn't one: its bit is
// a part of the signal's number there.
const newNamespaces = unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWUSER |
	unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWCGROUP

// refusedFamilies are kinds of sockets that a container can't make, up to
// newestFamily; later ones are unknown. A kernel loads the module of a family
// by itself when the first program asks for one, so each is code that anybody
// could reach.
var refusedFamilies = []int{
	unix.AF_ALG,   // the kernel's cryptography, by which programs became root ("copy fail", 2026)
	unix.AF_VSOCK, // reaches the hypervisor's host past any network namespace
	// Old networks, which newer kernels have thrown out.
	unix.AF_AX25, unix.AF_IPX, unix.AF_APPLETALK, unix.AF_NETROM, unix.AF_ROSE, unix.AF_DECnet, unix.AF_ECONET,
	unix.AF_ATMSVC, unix.AF_IRDA, unix.AF_WANPIPE, unix.AF_ISDN, unix.AF_CAIF,
}

const newestFamily = unix.AF_MCTP

// families is the set of those that are allowed, a bit each.
func families() (set uint64) {
	for f := range newestFamily + 1 {
		if !slices.Contains(refusedFamilies, f) {
			set |= 1 << f
		}
	}
	return set
}

// A span is a run of call numbers, from first to the next span's first, with
// the same verdict.
type span struct{ first, verdict uint32 }

// spans is the profile as an ordered list.
func spans(jail bool) []span {
	v := make([]uint32, newest+1)
	for i := range v {
		v[i] = allow
	}
	for _, nr := range slices.Concat(refused, refusedHere) {
		v[nr] = eperm
	}
	v[unix.SYS_CLONE] = lookClone
	// Its flags lie in memory, where a filter can't look.
	v[unix.SYS_CLONE3] = enosys
	v[unix.SYS_PERSONALITY] = lookPersonality
	v[unix.SYS_SOCKET] = lookSocket
	if jail {
		v[unix.SYS_SOCKET] = lookJailSocket
	}
	var out []span
	for nr, x := range v {
		if len(out) == 0 || out[len(out)-1].verdict != x {
			out = append(out, span{uint32(nr), x})
		}
	}
	return append(out, span{newest + 1, enosys})
}

// Filter is the profile as a BPF program, or a jail's: see [NewJail].
//
// The usual form, one comparison after another, costs twice: at each call, and
// once when it is installed, because the kernel then runs it for every call
// number to remember those that are always allowed (Linux 5.11). A binary
// search over spans is some forty instructions deep at none of them.
func Filter(jail bool) []unix.SockFilter {
	const ld, jeq, jge, ret, and = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K,
		unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K, unix.BPF_RET | unix.BPF_K, unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
	op := func(code int, k uint32, jt, jf int) unix.SockFilter {
		return unix.SockFilter{Code: uint16(code), K: k, Jt: uint8(jt), Jf: uint8(jf)}
	}
	const alu, toX = unix.BPF_ALU | unix.BPF_LSH | unix.BPF_X, unix.BPF_MISC | unix.BPF_TAX
	// in looks the number in A, below 32, up in a set of bits.
	in := func(set uint32) []unix.SockFilter {
		return []unix.SockFilter{
			op(toX, 0, 0, 0), op(unix.BPF_LD|unix.BPF_IMM, 1, 0, 0), op(alu, 0, 0, 0),
			op(unix.BPF_JMP|unix.BPF_JSET|unix.BPF_K, set, 0, 1), op(ret, allow, 0, 0), op(ret, eperm, 0, 0),
		}
	}
	low, high := in(uint32(families())), in(uint32(families()>>32))
	leaf := map[uint32][]unix.SockFilter{
		lookClone: {
			op(ld, offArg0, 0, 0), op(and, newNamespaces, 0, 0), op(jeq, 0, 0, 1),
			op(ret, allow, 0, 0), op(ret, eperm, 0, 0),
		},
		// The few that run ordinary programs: Linux, Linux with 32-bit
		// uname, and "what is it?" (personality(2)).
		lookPersonality: {
			op(ld, offArg0, 0, 0),
			op(jeq, 0x0, 4, 0), op(jeq, 0x8, 3, 0), op(jeq, 0x20000, 2, 0), op(jeq, 0x20008, 1, 0), op(jeq, 0xffffffff, 0, 1),
			op(ret, allow, 0, 0), op(ret, eperm, 0, 0),
		},
		lookSocket: slices.Concat([]unix.SockFilter{
			op(ld, offArg0, 0, 0), op(jge, 64, 0, 1), op(ret, eperm, 0, 0), op(jge, 32, len(low), 0),
		}, low, []unix.SockFilter{op(unix.BPF_ALU|unix.BPF_SUB|unix.BPF_K, 32, 0, 0)}, high),
		// Local ones, and those of TCP and UDP: family, type without its flags, protocol.
		lookJailSocket: {
			op(ld, offArg0, 0, 0), op(jeq, unix.AF_UNIX, 10, 0), op(jeq, unix.AF_INET, 1, 0), op(jeq, unix.AF_INET6, 0, 9),
			op(ld, offArg1, 0, 0), op(and, 0xf, 0, 0), op(jeq, unix.SOCK_STREAM, 1, 0), op(jeq, unix.SOCK_DGRAM, 0, 5),
			op(ld, offArg2, 0, 0), op(jeq, 0, 2, 0), op(jeq, unix.IPPROTO_TCP, 1, 0), op(jeq, unix.IPPROTO_UDP, 0, 1),
			op(ret, allow, 0, 0), op(ret, eperm, 0, 0),
		},
	}
	var search func(s []span) []unix.SockFilter
	search = func(s []span) []unix.SockFilter {
		if len(s) == 1 {
			if p, ok := leaf[s[0].verdict]; ok {
				return p
			}
			return []unix.SockFilter{op(ret, s[0].verdict, 0, 0)}
		}
		low, high := search(s[:len(s)/2]), search(s[len(s)/2:])
		first := s[len(s)/2].first
		if len(low) > 255 { // further than a conditional jump reaches
			ja := op(unix.BPF_JMP|unix.BPF_JA, uint32(len(low)), 0, 0)
			return slices.Concat([]unix.SockFilter{op(jge, first, 0, 1), ja}, low, high)
		}
		return slices.Concat([]unix.SockFilter{op(jge, first, len(low), 0)}, low, high)
	}
	head := []unix.SockFilter{
		// The same number means another call in another instruction set.
		op(ld, offArch, 0, 0), op(jeq, auditArch, 1, 0), op(ret, enosys, 0, 0),
		op(ld, offNr, 0, 0),
	}
	return slices.Concat(head, search(spans(jail)))
}

// filter and jailFilter are made once, by the first Prepare: they are the same for all.
var (
	filter     = sync.OnceValue(func() []unix.SockFilter { return Filter(false) })
	jailFilter = sync.OnceValue(func() []unix.SockFilter { return Filter(true) })
)

// filter is the container's.
func (e *Env) filter() []unix.SockFilter {
	if e.jail {
		return jailFilter()
	}
	return filter()
}

// seccomp has the child install the filter, as the last thing it does but
// exec: what comes before needs calls that it refuses.
func (c *container) seccomp(_ *launch.Thread, tape *launch.Tape) error {
	f := c.env.filter()
	prog := &unix.SockFprog{Len: uint16(len(f)), Filter: &f[0]}
	// Either no_new_privs or CAP_SYS_ADMIN is asked for, and only root has
	// the latter.
	tape.Call("set no_new_privs", unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	// SPEC_ALLOW: a filter would otherwise also switch on a slow defence
	// against speculation for the program (runc's choice, too).
	tape.Call("install the seccomp filter", unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, unsafe.Pointer(prog))
	return nil
}
