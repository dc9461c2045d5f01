package launch

import (
	"fmt"
	"os"
	"os/signal"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/probe"
)

// An ExecError is a program that couldn't be executed.
type ExecError struct {
	Path string
	Err  unix.Errno

	// Interpreter is what the script Path names after "#!", where that is
	// what is wrong.
	Interpreter string
}

func (e *ExecError) Error() string {
	if e.Interpreter != "" {
		return "execute " + e.Path + ": its interpreter " + e.Interpreter + ": " + e.Err.Error()
	}
	return "execute " + e.Path + ": " + e.Err.Error()
}
func (e *ExecError) Unwrap() error { return e.Err }

// Status is what a shell's exit status for it is: 127 not found, 126 can't be
// executed (POSIX, Shell Command Language, 2.8.2).
func (e *ExecError) Status() int {
	if e.Err == unix.ENOENT || e.Err == unix.ENOTDIR {
		return 127
	}
	return 126
}

// PathInside lists where Argv[0] may be in the root that the child sees: itself
// when it has a slash, else in each folder of the command's PATH.
func PathInside(c bench.Command) []string {
	name := c.Argv[0]
	if strings.Contains(name, "/") {
		if !path.IsAbs(name) {
			name = path.Join("/", c.Dir, name)
		}
		return []string{name}
	}
	var out []string
	for _, dir := range c.Path() {
		out = append(out, path.Join("/", dir, name))
	}
	return out
}

// executable picks the first candidate that is there, as execvp(3) does: one
// that can't be executed is remembered, in case that none can.
func executable(candidates []string, c *bench.Command) (string, error) {
	worst := &ExecError{Path: c.Argv[0], Err: unix.ENOENT}
	for _, name := range candidates {
		var st unix.Stat_t
		err := unix.Stat(name, &st)
		switch {
		case err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG:
			worst = &ExecError{Path: name, Err: unix.EACCES} // execve's own word for it
		case err == nil && st.Mode&0o111 != 0:
			return name, interpreters(name)
		case err == nil || err == unix.EACCES:
			worst = &ExecError{Path: name, Err: unix.EACCES}
		}
	}
	return "", worst
}

// interpreters checks the chain of interpreters that a script asks for, as deep
// as the kernel follows it. It says which one is missing, where execve has one
// ENOENT for all; and it looks before the child has its /proc, so that no
// script can ask for the lab itself by the name of /proc/self/exe
// (CVE-2019-5736).
func interpreters(name string) error {
	script := name
	for range 5 { // linux/fs/exec.c: depth in exec_binprm
		// Without waiting: it might be a FIFO by now.
		fd, err := unix.Open(script, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil // execute without read permission: not a script, then
		}
		var head [256]byte // BINPRM_BUF_SIZE
		n, _ := unix.Read(fd, head[:])
		unix.Close(fd)
		line, ok := strings.CutPrefix(string(head[:max(n, 0)]), "#!")
		if !ok {
			return nil
		}
		line, _, _ = strings.Cut(line, "\n")
		words := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' || r == 0 })
		if len(words) == 0 {
			return &ExecError{Path: name, Err: unix.ENOEXEC}
		}
		var st unix.Stat_t
		if err := unix.Stat(words[0], &st); err != nil {
			errno, _ := err.(unix.Errno)
			return &ExecError{Path: name, Err: errno, Interpreter: words[0]}
		}
		if st.Mode&unix.S_IFMT != unix.S_IFREG {
			return &ExecError{Path: name, Err: unix.EACCES, Interpreter: words[0]}
		}
		script = words[0]
	}
	return &ExecError{Path: name, Err: unix.ELOOP}
}

// stdio is the child's first three descriptors.
type stdio struct {
	fds    [3]int
	theirs []*os.File // ours to close once the child has them
}

func (s *stdio) close() {
	for _, f := range s.theirs {
		f.Close()
	}
}

// null is a descriptor of the null device, which all starts share: to open it
// takes as long as the hand-over to the thread does.
var null = sync.OnceValues(func() (int, error) {
	fd, err := unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err == nil && fd < 3 { // the lab was started without one of these
		fd, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	}
	if err != nil {
		return 0, &os.PathError{Op: "open", Path: os.DevNull, Err: err}
	}
	return fd, nil
})

// stdio opens what the command leaves open: no input, the ready pipe, no
// diagnostics.
func (p *Process) stdio() (s *stdio, err error) {
	c := &p.plan.Command
	s = &stdio{}
	defer func() {
		if err != nil {
			s.close()
			s = nil
		}
	}()
	var out *os.File
	if c.Stdout == nil && !c.TTY {
		// pipe2 itself, not os.Pipe: that one sets O_NONBLOCK and registers
		// the end with the poller, and a blocking read is faster.
		var fds [2]int
		if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
			return nil, fmt.Errorf("ready pipe: %w", err)
		}
		p.ready = os.NewFile(uintptr(fds[0]), "ready")
		out = os.NewFile(uintptr(fds[1]), "stdout")
		s.theirs = append(s.theirs, out)
	}
	for i, f := range []*os.File{c.Stdin, c.Stdout, c.Stderr} {
		if i == 1 && f == nil {
			f = out
		}
		if f == nil {
			if s.fds[i], err = null(); err != nil {
				return nil, err
			}
			continue
		}
		// Fd also puts a file that Go made non-blocking, such as an end of
		// os.Pipe, back: the program would be told EAGAIN (the mode belongs
		// to what was opened, and is shared by all descriptors of it).
		fd := int(f.Fd())
		// Descriptors 0 to 2 of ours would be overwritten on the way.
		if fd < 3 {
			var err error
			if fd, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3); err != nil {
				return nil, fmt.Errorf("dup: %w", err)
			}
			s.theirs = append(s.theirs, os.NewFile(uintptr(fd), f.Name()))
		}
		s.fds[i] = fd
	}
	return s, nil
}

// softFiles is the number of descriptors a program gets unless it asks for
// more: the usual soft limit. Go raises its own, and exec passes that on.
const softFiles = 1024

// record writes the child's tape.
func (p *Process) record(t *Thread, tape *Tape, prog string, s *stdio) error {
	c := &p.plan.Command
	// A session of its own: the terminal's Ctrl-C is the lab's to handle.
	tape.Call("setsid", unix.SYS_SETSID)
	if p.group != nil {
		for _, fd := range p.group.TasksFDs() {
			// "0" is the caller (cgroup-v1/cgroups.rst, 2.3), and the only
			// PID for which the kernel takes no lock over all threads.
			tape.Call("enter cgroup", unix.SYS_WRITE, fd, "0", 1)
		}
	}
	if p.plan.Inside != nil {
		if err := p.plan.Inside(t, tape); err != nil {
			return err
		}
	}
	for i, fd := range s.fds {
		tape.Call("dup", unix.SYS_DUP3, fd, i, 0)
	}
	if c.TTY {
		tape.Call("take the terminal", unix.SYS_IOCTL, 0, unix.TIOCSCTTY, 0)
	}
	// Before the change of folder, and for good: a folder called
	// /proc/self/fd/7 would otherwise lead to one of ours (CVE-2024-21626).
	// Linux 5.9 and later; before, all of ours are O_CLOEXEC at least.
	first := 3
	if p.plan.Init {
		fd, err := initFile()
		if err != nil {
			return fmt.Errorf("init: %w", err)
		}
		tape.Call("dup", unix.SYS_DUP3, fd, initFD, unix.O_CLOEXEC)
		first = initFD + 1
	}
	tape.Maybe("close descriptors", unix.SYS_CLOSE_RANGE, first, uintptr(^uint32(0)), 0)
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err == nil && lim.Cur > softFiles {
		nl := &unix.Rlimit{Cur: softFiles, Max: lim.Max}
		tape.Call("limit descriptors", unix.SYS_PRLIMIT64, 0, unix.RLIMIT_NOFILE, unsafe.Pointer(nl), 0)
	}
	if strings.IndexByte(c.Dir, 0) >= 0 {
		return bench.Blamed(bench.BlameWorkload, fmt.Errorf("working folder %q: it has a NUL byte", c.Dir))
	}
	if c.Dir != "" {
		tape.Call("change folder to", unix.SYS_CHDIR, c.Dir)
	}
	if u := c.User; u.UID != 0 || u.GID != 0 || len(u.Groups) > 0 {
		groups := append(slices.Clone(u.Groups), 0) // never empty: it is pointed to
		tape.Call("set groups", unix.SYS_SETGROUPS, len(u.Groups), unsafe.Pointer(&groups[0]))
		tape.Call("set group", unix.SYS_SETRESGID, int(u.GID), int(u.GID), int(u.GID))
		tape.Call("set user", unix.SYS_SETRESUID, int(u.UID), int(u.UID), int(u.UID))
	}
	if p.plan.Privileges != nil {
		if err := p.plan.Privileges(t, tape); err != nil {
			return err
		}
	}
	// Handlers end with exec, what is ignored or blocked doesn't: under nohup,
	// or as a shell's background job, the lab ignores SIGHUP or SIGINT.
	// Signals 32 to 34 are glibc's own; Go leaves them as it found them, and
	// make(1) runs its commands with two of them ignored.
	for sig := syscall.Signal(1); sig <= 64; sig++ {
		if signal.Ignored(sig) || sig >= 32 && sig <= 34 {
			tape.Call("reset signals", unix.SYS_RT_SIGACTION, int(sig), unsafe.Pointer(new([4]uint64)), 0, 8)
		}
	}
	tape.Call("unblock signals", unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, unsafe.Pointer(new(uint64)), 0, 8)
	// Outside of the testbed's PID namespace nothing else ends it with us.
	// After the change of user, which clears it (prctl(2)).
	tape.Call("die with the lab", unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, int(unix.SIGKILL), 0, 0, 0)
	args := c.Argv
	if p.plan.Init {
		args = append([]string{"init", prog}, c.Argv[1:]...)
	}
	argv, err := cStrings(args)
	if err != nil {
		return err
	}
	env, err := cStrings(c.Env)
	if err != nil {
		return err
	}
	tape.keep = append(tape.keep, argv, env)
	if p.plan.Init {
		tape.Call("execute", unix.SYS_EXECVEAT, initFD, "", unsafe.Pointer(&argv[0]), unsafe.Pointer(&env[0]), unix.AT_EMPTY_PATH)
		return nil
	}
	tape.Call("execute", unix.SYS_EXECVE, prog, unsafe.Pointer(&argv[0]), unsafe.Pointer(&env[0]))
	return nil
}

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

// cStrings makes a vector of C strings that ends in NULL.
func cStrings(ss []string) ([]*byte, error) {
	out := make([]*byte, 0, len(ss)+1)
	for _, s := range ss {
		b, err := unix.BytePtrFromString(s)
		if err != nil {
			return nil, bench.Blamed(bench.BlameWorkload, fmt.Errorf("argument or variable %q: it has a NUL byte", s))
		}
		out = append(out, b)
	}
	return append(out, nil), nil
}
