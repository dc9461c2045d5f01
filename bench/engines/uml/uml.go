// Package uml has user-mode Linux: a Linux kernel that was ported to the system calls
// of another, and runs as a process. It needs no KVM, and no emulator.
//
// A guest kernel in a virtual machine is trapped when it touches hardware. This one
// asks: it has drivers for files and descriptors instead of devices. That is akin to
// paravirtualization, as Xen had it first, but its system calls cost something else than
// a hypercall: it stops its processes by ptrace(2) at each, and carries it out itself.
//
// The guest's root is the instance's, which its kernel reads through the host's (hostfs),
// so that nothing has to be unpacked; its first process is the lab's init, as in the
// environment vm, to which the lab speaks through a socket that is a terminal line
// inside. instance.go has that; all else is package foreign's.
//
// It keeps accidents apart, and no attacker: the program runs as root, and hostfs would
// show root in the guest all files. It sees them read-only.
package uml

import (
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/cgroup"
	"lab/bench/foreign"
	"lab/bench/probe/guestinit/wire"
	"lab/bench/request"
	"lab/vm/guest"
)

const (
	name     = "uml"
	program  = "linux.uml"
	initFile = "root/.lab/init" // in the program's folder
	line     = "tty1"           // the guest's end of the socket
)

// Sizes of the guest's RAM, in bytes.
const (
	defaultMemory = 128 << 20
	leastMemory   = 48 << 20 // of the kernel and init alone
	mostMemory    = 250 << 30
)

// New returns the environment uml.
func New() *foreign.Env {
	m := foreign.Maker{Name: name, Program: program, Package: "user-mode-linux", PIDFile: name + "/pid", Relays: true, Sealed: true,
		Nets: []string{foreign.NetNone}, Check: check, Prepare: prepare, Args: args,
		Settings: []bench.Setting{{Name: "memory", Default: "auto",
			Help: "the guest's RAM; auto is 128M, or more than a limit of memory, which the guest's kernel keeps"}},
		Files: func(*foreign.Order) (map[string][]byte, error) {
			b, err := guest.Init()
			return map[string][]byte{initFile: b}, err
		},
		Start: []string{"the kernel boots, and mounts the root through the host's", "its init executes the program"}}
	m.About.Is, m.About.Groups = "user-mode Linux: a Linux kernel as a process, without KVM", []string{"engines"}
	m.About.More = "Its kernel asks the host's by system calls where a virtual machine's is trapped, and stops its processes by ptrace at each system call of theirs: " +
		"akin to paravirtualization, but not Xen's. It has one processor, no network, and the image through the host's kernel (hostfs), where what its users make is root's. " +
		"Root in it can read this machine's files: it keeps accidents apart, and no attacker."
	m.About.Guest, m.About.Slow, m.About.Kernel = true, true, m.Program
	return foreign.New(m)
}

// memory is the guest's RAM in bytes.
func memory(s bench.Spec) int64 {
	if n, err := request.ParseSize(s.Settings["memory"]); err == nil {
		return n
	}
	return max(defaultMemory, s.Limits.Memory+leastMemory)
}

func check(s bench.Spec) error {
	if runtime.GOARCH != "amd64" {
		return bench.Unavailable("user-mode Linux isn't built for "+runtime.GOARCH, "use an amd64 machine")
	}
	if narrow() {
		return bench.Unavailable("this user-mode Linux is older than 6.13, and can't keep this processor's registers (AMX)", "use a linux.uml of Linux 6.13 or later, or a processor without AMX")
	}
	if _, err := guest.Init(); err != nil {
		return bench.Unavailable(err.Error(), "make build")
	}
	if m := s.Settings["memory"]; m != "" && m != "auto" {
		if n, err := request.ParseSize(m); err != nil || n < leastMemory {
			return bench.NotApplicable(fmt.Sprintf("memory=%s isn't a size of %d MiB or more", m, leastMemory>>20), "--variant memory=128M")
		}
	}
	if memory(s) > mostMemory {
		return bench.NotApplicable(fmt.Sprintf("its kernel is a process, in which more than %d GiB of RAM have no room", mostMemory>>30), "a smaller limit of memory")
	}
	if len(s.Mounts) > 0 {
		return bench.NotApplicable("the guest sees its root's files alone, and a volume would be outside of it", "--env vm")
	}
	if l := s.Limits; l.CPUWeight != 0 || l.CPUSet != "" || l.Swap != 0 || l.IO != (cgroup.IO{}) {
		return bench.NotApplicable("a guest's programs have its kernel to themselves, and nothing keeps limits of CPU weight, CPU set, swap or I/O there",
			"use limits of CPU, memory and processes only")
	}
	return nil
}

// prepare makes the socket, and the kernel's process as an instance of its own.
func prepare(_ context.Context, e *foreign.Env, s bench.Spec) (bench.Instance, error) {
	i := &instance{cmd: s.Command, limits: s.Limits}
	if err := i.dup(); err != nil {
		i.release()
		return nil, err
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	i.theirs = os.NewFile(uintptr(fds[1]), "guest")
	ours := os.NewFile(uintptr(fds[0]), "guest")
	i.conn, err = net.FileConn(ours)
	ours.Close()
	if err != nil {
		i.release()
		return nil, err
	}
	s.Settings = maps.Clone(s.Settings)
	s.Settings["memory"] = fmt.Sprint(memory(s))
	s.Limits, s.Init = bench.Limits{}, false // the guest's kernel keeps them, and it has one
	s.Command.Stdin, s.Command.Stdout, s.Command.Stderr, s.Command.TTY = i.theirs, i.quiet, nil, false
	if i.Instance, err = e.Program(s); err != nil {
		i.release()
		return nil, err
	}
	return i, nil
}

func args(o *foreign.Order) []string {
	boot := wire.Boot{Port: "/dev/" + line, Name: o.Host}
	return append([]string{"mem=" + fmt.Sprint(memory(o.Spec)>>20) + "M", "root=/dev/root", "rootfstype=hostfs", "rw", "hostfs=" + o.Root,
		"uml_dir=" + o.Dir, "umid=" + name, "console=tty0", "devtmpfs.mount=0", "con=null", "ssl=null", "con0=null,fd:2", "con1=fd:0,fd:0", "quiet", "noreboot",
		"init=/.lab/init", "--"}, boot.Words()...)
}
