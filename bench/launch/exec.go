package launch

import (
	"fmt"
	"os/signal"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"lab/bench"
)

// softFiles is the number of descriptors a program gets unless it asks for
// more: the usual soft limit. Go raises its own, and exec passes that on.
const softFiles = 1024

// procFolder is this machine's /proc, opened while it is the lab's root's.
var procFolder = sync.OnceValue(func() int {
	fd, err := unix.Open("/proc", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1 // then nothing is told
	}
	return fd
})

// record writes the child's tape.
func (p *Process) record(t *Thread, tape *Tape, prog *program, s *stdio) error {
	c := &p.plan.Command
	// A session of its own: the terminal's Ctrl-C is the lab's to handle.
	tape.Call("setsid", unix.SYS_SETSID)
	if len(p.leads) > 0 {
		// The link's target is the reader's PID, as the lab's own PID namespace
		// numbers it, whatever root and namespaces the child has (proc(5)).
		tape.Maybe("tell the watcher", unix.SYS_READLINKAT, procFolder(), "self", unsafe.Pointer(&p.leads[0]), len(p.leads))
	}
	if p.group != nil {
		for _, f := range p.tasks {
			// "0" is the caller (cgroup-v1/cgroups.rst, 2.3), and the only
			// PID for which the kernel takes no lock over all threads.
			tape.Call("enter cgroup", unix.SYS_WRITE, int(f.Fd()), "0", 1)
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
	pinned := p.plan.Pinned && !p.plan.Init // which has its own program, and looks up ours
	if pinned {
		if err := prog.pin(tape, p.plan.Names); err != nil {
			return err
		}
		first = namesFD + 1
	}
	tape.Maybe("close descriptors", unix.SYS_CLOSE_RANGE, first, uintptr(^uint32(0)), 0)
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err == nil && lim.Cur > softFiles {
		nl := &unix.Rlimit{Cur: softFiles, Max: lim.Max}
		tape.Call("limit descriptors", unix.SYS_PRLIMIT64, 0, unix.RLIMIT_NOFILE, unsafe.Pointer(nl), 0)
	}
	// The same in every environment, whatever the caller's is, and the lab's own:
	// a container's thread has none, for nodes with exactly the modes it names.
	tape.Call("set the umask", unix.SYS_UMASK, 0o022)
	if strings.IndexByte(c.Dir, 0) >= 0 {
		return bench.Blamed(bench.BlameWorkload, fmt.Errorf("working folder %q: it has a NUL byte", c.Dir))
	}
	if pinned && c.Dir != "/" && c.Dir != "" {
		// The two descriptors of the program are still there.
		const folder = Reg(regs - 1)
		how := &unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_MAGICLINKS}
		tape.CallTo(folder, "change folder to", unix.SYS_OPENAT2, unix.AT_FDCWD, c.Dir, unsafe.Pointer(how), unsafe.Sizeof(*how))
		tape.Call("change folder", unix.SYS_FCHDIR, folder)
	} else if c.Dir != "" {
		tape.Call("change folder to", unix.SYS_CHDIR, c.Dir)
	}
	if u := c.User; !u.IsRoot() {
		groups := append(slices.Clone(u.Groups), 0) // never empty: it is pointed to
		tape.Call("set groups", unix.SYS_SETGROUPS, len(u.Groups), unsafe.Pointer(&groups[0]))
		tape.Call("set group", unix.SYS_SETRESGID, int(u.GID), int(u.GID), int(u.GID))
		tape.Call("set user", unix.SYS_SETRESUID, int(u.UID), int(u.UID), int(u.UID))
	}
	if pinned {
		// A descriptor leads past the folders on the way to it.
		for _, name := range prog.chain {
			tape.Call("execute", unix.SYS_FACCESSAT, unix.AT_FDCWD, name, unix.X_OK)
		}
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
	if !outlived.Load() {
		p.line.dieWithUs(tape)
	}
	args := c.Argv
	if p.plan.Init {
		args = append([]string{"init", prog.path}, c.Argv[1:]...)
	} else if pinned {
		args = prog.args
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
	if pinned {
		tape.Call("execute", unix.SYS_EXECVEAT, namesFD, path.Base(prog.path), unsafe.Pointer(&argv[0]), unsafe.Pointer(&env[0]), 0)
		return nil
	}
	tape.Call("execute", unix.SYS_EXECVE, prog.path, unsafe.Pointer(&argv[0]), unsafe.Pointer(&env[0]))
	return nil
}

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
