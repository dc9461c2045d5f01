package main

import (
	"errors"
	"os"
	"runtime"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What a kernel has once, for all that run on it.
var kernelTries = []try{
	{"log", true, func(s *search) (answer, error) {
		// How much isn't read yet: asked of whoever may read all of it.
		_, _, errno := unix.Syscall(unix.SYS_SYSLOG, 9, 0, 0)
		return permitted(sees, errno)
	}},
	{"log-device", true, func(s *search) (answer, error) { return readable("/dev/kmsg") }},
	{"sysctl", true, func(s *search) (answer, error) { return writable("/proc/sys/kernel/panic") }},
	{"sysrq", true, func(s *search) (answer, error) { return writable("/proc/sysrq-trigger") }},
	{"sysfs", true, func(s *search) (answer, error) { return writable("/sys/kernel/mm/transparent_hugepage/enabled") }},
	{"release-agent", true, releaseAgent},
	{"physical-memory", true, func(s *search) (answer, error) { return readable("/proc/kcore") }},
	{"command-line", true, func(s *search) (answer, error) {
		b, err := os.ReadFile("/proc/cmdline")
		if err != nil || digest(string(b)) != s.options["cmdline"] {
			return neither, err
		}
		return sees, nil
	}},
	{"interrupts", true, func(s *search) (answer, error) { return contains("/proc/interrupts", "CPU0") }},
	{"firmware", true, func(s *search) (answer, error) { return listed("/sys/firmware") }},
	{"disks", true, func(s *search) (answer, error) { return listed("/sys/block") }},
	{"memory-total", true, func(s *search) (answer, error) {
		var i unix.Sysinfo_t
		if err := unix.Sysinfo(&i); err != nil || strconv.FormatUint(i.Totalram*uint64(i.Unit), 10) != s.options["ram"] {
			return neither, err
		}
		return sees, nil
	}},
}

// What root may ask of the kernel: each is asked for in a way that changes
// nothing. A call that goes on to complain of its arguments was permitted.
var powerTries = []try{
	{"clock", true, func(s *search) (answer, error) {
		var x unix.Timex
		if _, err := unix.Adjtimex(&x); err != nil {
			return sees, err // a filter: what time it is needs no such call
		}
		x.Modes = unix.ADJ_TICK // to what it is
		if _, err := unix.Adjtimex(&x); err != nil {
			return sees, err
		}
		return changes, nil
	}},
	{"module", true, func(s *search) (answer, error) {
		name, err := unix.BytePtrFromString("lab-has-no-such-module")
		if err != nil {
			return neither, err
		}
		_, _, errno := unix.Syscall(unix.SYS_DELETE_MODULE, uintptr(unsafe.Pointer(name)), unix.O_NONBLOCK, 0)
		return permitted(changes, errno, unix.ENOENT)
	}},
	{"swap", true, func(s *search) (answer, error) {
		name, err := unix.BytePtrFromString("/lab-has-no-such-file")
		if err != nil {
			return neither, err
		}
		_, _, errno := unix.Syscall(unix.SYS_SWAPOFF, uintptr(unsafe.Pointer(name)), 0, 0)
		return permitted(changes, errno, unix.ENOENT)
	}},
	{"bpf", true, func(s *search) (answer, error) {
		// The first program's number (BPF_PROG_GET_NEXT_ID), of none also.
		var attr [64]byte
		_, _, errno := unix.Syscall(unix.SYS_BPF, 11, uintptr(unsafe.Pointer(&attr[0])), unsafe.Sizeof(attr))
		return permitted(sees, errno, unix.ENOENT)
	}},
	{"trace-all", true, func(s *search) (answer, error) {
		// What runs on processor 0, whoever's it is.
		a := unix.PerfEventAttr{Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_CPU_CLOCK, Size: uint32(unsafe.Sizeof(unix.PerfEventAttr{}))}
		fd, err := unix.PerfEventOpen(&a, -1, 0, -1, unix.PERF_FLAG_FD_CLOEXEC)
		if err == nil {
			unix.Close(fd)
		}
		if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.ENOENT) {
			err = errAbsent
		}
		return yes(sees, err)
	}},
	{"file-watch", true, func(s *search) (answer, error) {
		fd, err := unix.FanotifyInit(unix.FAN_CLASS_CONTENT|unix.FAN_CLOEXEC, unix.O_RDONLY)
		if err == nil {
			unix.Close(fd)
		}
		if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL) {
			err = errAbsent
		}
		return yes(changes, err)
	}},
	{"io-ports", true, func(s *search) (answer, error) {
		if runtime.GOARCH != "amd64" {
			return neither, errAbsent
		}
		_, _, errno := unix.Syscall(sysIoperm, 0x80, 1, 1) // of this thread, which ends
		return permitted(changes, errno)
	}},
	{"priority", true, func(s *search) (answer, error) {
		return yes(changes, unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), -1))
	}},
	{"oom", true, func(s *search) (answer, error) {
		f, err := os.OpenFile("/proc/thread-self/oom_score_adj", os.O_WRONLY, 0)
		if err != nil {
			return neither, err
		}
		defer f.Close()
		if _, err := f.WriteString("-1"); err != nil {
			return neither, err
		}
		_, err = f.WriteString("0")
		return yes(changes, err)
	}},
	{"locked-memory", true, func(s *search) (answer, error) {
		var r unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &r); err != nil || r.Max > 64<<20 {
			return neither, errAbsent // nobody would be refused
		}
		b, err := unix.Mmap(-1, 0, int(r.Cur)+1<<20, unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANON)
		if err != nil {
			return neither, err
		}
		defer unix.Munmap(b)
		return yes(changes, unix.Mlock(b))
	}},
}

// permitted is an answer where a call went through, or complained of what it was
// asked and not of who asks.
func permitted(a answer, errno unix.Errno, fine ...unix.Errno) (answer, error) {
	if errno == 0 {
		return a, nil
	}
	for _, e := range fine {
		if errno == e {
			return a, nil
		}
	}
	if errno == unix.ENOSYS {
		return neither, errAbsent
	}
	return neither, errno
}

// readable opens a file, and reads nothing.
func readable(name string) (answer, error) {
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return neither, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Rdev == unix.Mkdev(1, 3) {
		return neither, err // the null device hides it
	}
	return sees, nil
}

// listed says whether a folder has anything in it.
func listed(name string) (answer, error) {
	all, err := os.ReadDir(name)
	if err != nil || len(all) == 0 {
		return neither, err
	}
	return sees, nil
}

// releaseAgent mounts a hierarchy of cgroups (version 1) and looks for the file
// that names a program which the kernel starts, as root and outside, when a cgroup
// is empty: the best known way out of a privileged container.
func releaseAgent(s *search) (answer, error) {
	if s.options["hierarchy"] == "" {
		return neither, errAbsent
	}
	at := s.dir + "/cgroup"
	if err := os.Mkdir(at, 0o755); err != nil {
		return neither, err
	}
	if err := unix.Mount("cgroup", at, "cgroup", 0, s.options["hierarchy"]); err != nil {
		return neither, err
	}
	defer unix.Unmount(at, unix.MNT_DETACH)
	return writable(at + "/release_agent")
}
