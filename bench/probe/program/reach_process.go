package main

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

var processTries = []try{
	{"process-list", false, func(s *search) (answer, error) { return yes(sees, s.shown(proc)) }},
	{"signal", false, signalled},
	{"priority-other", false, slowed},
	{"memory", false, remembered},
	{"trace", false, traced},
	{"descriptor", false, (*search).descriptor},
	{"open-files", false, func(s *search) (answer, error) { return s.through(proc, "fd/"+s.options["memfd"]) }},
	{"root-link", false, func(s *search) (answer, error) { return s.through(proc, "root"+s.options["file"]) }},
	{"enter", false, enterOther},
}

// there says whether the neighbour's number means the neighbour here: a process
// with its niceness, which no other has.
func (s *search) there() error {
	n, err := unix.Getpriority(unix.PRIO_PROCESS, s.pid)
	if err != nil {
		return err
	}
	if nice := 20 - n; nice != neighbourNice && nice != neighbourNice+1 {
		return errAnother
	}
	return nil
}

// proc is where the system has its list of processes.
const proc = "/proc"

// errAnother is returned where the neighbour's number is another process's. It may be
// ours: a lab that is the first process of a PID namespace starts neighbours with
// numbers as small as those in a container.
var errAnother = errors.New("another process has this number")

// shown says whether a list of processes has the neighbour at its number: by its
// arguments, which everyone may read, and of which ours have the mark, too.
func (s *search) shown(list string) error {
	b, err := os.ReadFile(s.process(list) + "/cmdline")
	if err == nil && !strings.Contains(string(b), "\x00neighbour\x00mark="+s.mark+"\x00") {
		err = errAnother
	}
	return err
}

// process is the folder of the neighbour's number in a list of processes.
func (s *search) process(list string) string { return list + "/" + strconv.Itoa(s.pid) }

// through leaves the mark in a file of the neighbour's folder in a list of processes.
func (s *search) through(list, file string) (answer, error) {
	if err := s.shown(list); err != nil {
		return neither, err
	}
	return s.leaveMark(s.process(list) + "/" + file)
}

func signalled(s *search) (answer, error) {
	if err := s.there(); err != nil {
		return neither, err
	}
	if err := unix.Kill(s.pid, unix.SIGUSR1); err != nil {
		return sees, err
	}
	return changes, nil
}

func slowed(s *search) (answer, error) {
	if err := s.there(); err != nil {
		return neither, err
	}
	if err := unix.Setpriority(unix.PRIO_PROCESS, s.pid, neighbourNice+1); err != nil {
		return sees, err
	}
	return changes, nil
}

// remembered reads the neighbour's memory, and writes a byte of it.
func remembered(s *search) (answer, error) {
	if err := s.there(); err != nil {
		return neither, err
	}
	at, err := strconv.ParseUint(s.options["at"], 10, 64)
	if err != nil {
		return neither, err
	}
	text := make([]byte, len(s.mark))
	local := []unix.Iovec{{Base: &text[0], Len: uint64(len(text))}}
	remote := []unix.RemoteIovec{{Base: uintptr(at), Len: len(text)}}
	if _, err := unix.ProcessVMReadv(s.pid, local, remote, 0); err != nil {
		return neither, err
	}
	if string(text) != s.mark {
		return neither, errors.New("other memory")
	}
	one := []byte{'+'}
	local = []unix.Iovec{{Base: &one[0], Len: 1}}
	remote = []unix.RemoteIovec{{Base: uintptr(at) + touchedAt, Len: 1}}
	if _, err := unix.ProcessVMWritev(s.pid, local, remote, 0); err != nil {
		return sees, err
	}
	return changes, nil
}

// traced becomes the neighbour's tracer, without stopping it (PTRACE_SEIZE). It
// ends with this thread.
func traced(s *search) (answer, error) {
	if err := s.there(); err != nil {
		return neither, err
	}
	_, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(s.pid), 0, 0, 0, 0)
	if errno != 0 {
		return neither, errno
	}
	return changes, nil
}

// descriptor takes an open file out of the neighbour (pidfd_getfd(2)).
func (s *search) descriptor() (answer, error) {
	if err := s.there(); err != nil {
		return neither, err
	}
	n, err := strconv.Atoi(s.options["memfd"])
	if err != nil {
		return neither, err
	}
	pidfd, err := unix.PidfdOpen(s.pid, 0)
	if err != nil {
		return neither, err
	}
	defer unix.Close(pidfd)
	fd, err := unix.PidfdGetfd(pidfd, n, 0)
	if err != nil {
		return neither, err
	}
	f := os.NewFile(uintptr(fd), "taken")
	defer f.Close()
	text := make([]byte, len(s.mark))
	if _, err := f.ReadAt(text, 0); err != nil || string(text) != s.mark {
		return neither, err
	}
	_, err = f.WriteAt([]byte("+"), touchedAt)
	if err != nil {
		return sees, err
	}
	return changes, nil
}

// enterOther joins the neighbour's network and name (setns(2) by a process's
// descriptor, which needs no /proc).
func enterOther(s *search) (answer, error) {
	if err := s.there(); err != nil {
		return neither, err
	}
	pidfd, err := unix.PidfdOpen(s.pid, 0)
	if err != nil {
		return neither, err
	}
	defer unix.Close(pidfd)
	return yes(changes, unix.Setns(pidfd, unix.CLONE_NEWNET|unix.CLONE_NEWUTS))
}

var nameTries = []try{
	{"host-name", false, hostName},
	{"kernel", true, func(s *search) (answer, error) {
		if version() == s.options["kernel"] {
			return sees, nil
		}
		return neither, nil
	}},
	{"boot-id", false, func(s *search) (answer, error) {
		return contains("/proc/sys/kernel/random/boot_id", s.options["boot"])
	}},
	{"up-time", true, func(s *search) (answer, error) {
		if s.sameBoot() {
			return sees, nil
		}
		return neither, nil
	}},
	{"cgroup-path", true, func(s *search) (answer, error) { return ownGroup() }},
}

// hostName looks for the host's name, and sets it to what it is.
func hostName(s *search) (answer, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return neither, err
	}
	name := unix.ByteSliceToString(u.Nodename[:])
	if digest(name) != s.options["host"] {
		return neither, nil
	}
	if err := unix.Sethostname([]byte(name)); err != nil {
		return sees, err
	}
	return changes, nil
}

// digest is a number for a text that isn't to be told (FNV-1a).
func digest(text string) string {
	h := uint64(14695981039346656037)
	for i := range len(text) {
		h = (h ^ uint64(text[i])) * 1099511628211
	}
	return strconv.FormatUint(h, 16)
}

// ownGroup says whether a process sees where in the host's cgroups it is.
func ownGroup() (answer, error) {
	b, err := os.ReadFile("/proc/thread-self/cgroup")
	if err != nil {
		return neither, err
	}
	for l := range strings.Lines(string(b)) {
		if f := strings.SplitN(strings.TrimSpace(l), ":", 3); len(f) == 3 && f[2] != "/" {
			return sees, nil
		}
	}
	return neither, nil
}

// raw makes a system call with an object in memory.
func raw[T any](nr uintptr, a, b uintptr, object *T) (uintptr, error) {
	r, _, errno := unix.Syscall(nr, a, b, uintptr(unsafe.Pointer(object)))
	if errno != 0 {
		return 0, errno
	}
	return r, nil
}
