package scenarios

import (
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// The answers of a probe, as the program inside counts them.
const (
	isolationNeither = iota
	isolationSees
	isolationChanges
)

var isolationWords = []string{"neither", "sees", "changes"}

// A probe of isolation is one question to the program inside (bench/probe/program,
// reach*.go), or to the host about it: can it reach that?
//
// hides are the ingredients each of which suffices to stop it, guards those each
// of which suffices to let it see and not change. What isn't stopped comes as far
// as open says. From these, and from the ingredients that an instance is seen to
// have, follows what the program should answer.
type isolationProbe struct {
	name, title   string
	open          int
	hides, guards string // by isolationIngredients' words
	by            string // the kernel's rule, and where to read about it
	cap           uint   // the capability that it takes; 0: one that the other process has (“caps”)
	path          string // the file whose cover or read-only mount counts (“covers”, “readonly”)
	host          bool   // the host answers it, not the program inside
}

// isolationIngredients are what an instance can have, as the host sees it: how the
// host sees it is in isolation_outside.go.
var isolationIngredients = []struct{ name, title string }{
	{"kernel", "another kernel"},
	{"root", "another root folder"},
	{"bare", "no /proc and /sys in it"},
	{"mnt", "mount namespace"},
	{"nodev", "root without devices"},
	{"pid", "PID namespace"},
	{"net", "network namespace"},
	{"ipc", "IPC namespace"},
	{"uts", "UTS namespace"},
	{"cgroup", "cgroup namespace"},
	{"user", "user namespace"},
	{"time", "time namespace"},
	{"caps", "fewer capabilities"},
	{"seccomp", "seccomp filter"},
	{"covers", "covered parts of /proc, /sys"},
	{"readonly", "read-only /proc/sys, /sys"},
}

// isolationTitles are ingredients for people: "a PID namespace, another kernel".
func isolationTitles(words string) string {
	var out []string
	for _, w := range strings.Fields(words) {
		for _, i := range isolationIngredients {
			if i.name == w {
				out = append(out, i.title)
			}
		}
	}
	return strings.Join(out, ", ")
}

// peer is what each of the calls that look into another process asks for: the
// caller's capabilities include the other's, or it has CAP_SYS_PTRACE.
const peer = "ptrace(2), “Ptrace access mode checking”: the same user, and no capability less than the other has"

var isolationProbes = []isolationProbe{
	// Files.
	{name: "file", title: "a file of the host", open: isolationChanges, hides: "root kernel",
		by: "a path begins at the process's root folder (path_resolution(7))"},
	{name: "escape", title: "the same file, by a second chroot", open: isolationChanges, hides: "mnt kernel",
		by: "“..” stops at the process's root folder alone, and root can move that past itself (chroot(2), NOTES); pivot_root(2) leaves nothing above it"},
	{name: "escape-proc", title: "the same file, by a /proc of its own", open: isolationChanges, cap: unix.CAP_SYS_ADMIN, hides: "pid caps user seccomp kernel",
		by: "mounting needs CAP_SYS_ADMIN; a /proc shows the PID namespace of whoever mounts it, and leads by PID/root into another's root folder (proc(5))"},
	{name: "escape-handle", title: "the same file, by its number", open: isolationChanges, cap: unix.CAP_DAC_READ_SEARCH, hides: "mnt caps user seccomp kernel",
		by: "open_by_handle_at(2) needs CAP_DAC_READ_SEARCH and something on the same file system: a mount namespace stops it as long as nothing of that is mounted there"},
	{name: "disk", title: "the host's disk, by a node of its own", open: isolationSees, cap: unix.CAP_MKNOD, hides: "caps user nodev kernel",
		by: "mknod(2) of a device needs CAP_MKNOD in the first user namespace, and opening it a mount without nodev (mount(8))"},
	{name: "mount-list", title: "the list of the host's mounts", open: isolationSees, hides: "root mnt bare kernel",
		by: "/proc/PID/mountinfo shows the mounts of the process's mount namespace below its root folder"},
	{name: "mount-made", title: "a mount that the host then has, too", open: isolationChanges, cap: unix.CAP_SYS_ADMIN, hides: "mnt caps user seccomp kernel", host: true,
		by: "mount(2) needs CAP_SYS_ADMIN, and changes the caller's mount namespace (mount_namespaces(7))"},

	// Processes and users.
	{name: "process-list", title: "the list of the host's processes", open: isolationSees, hides: "bare pid kernel",
		by: "/proc shows the processes of one PID namespace (pid_namespaces(7))"},
	{name: "signal", title: "a process of the host, by a signal", open: isolationChanges, hides: "pid kernel", guards: "user",
		by: "a process can name those of its own PID namespace; kill(2) then needs the same user, or CAP_KILL over it"},
	{name: "priority-other", title: "a process's priority", open: isolationChanges, hides: "pid kernel", guards: "caps user",
		by: "setpriority(2) needs the same user, and no capability less than the other has, or CAP_SYS_NICE"},
	{name: "memory", title: "a process's memory", open: isolationChanges, hides: "pid caps user kernel", by: "process_vm_readv(2); " + peer},
	{name: "trace", title: "a process, as its debugger", open: isolationChanges, hides: "pid caps user kernel", by: peer},
	{name: "descriptor", title: "a process's open file, taken", open: isolationChanges, hides: "pid caps user seccomp kernel", by: "pidfd_getfd(2); " + peer},
	{name: "open-files", title: "a process's open file, by /proc", open: isolationChanges, hides: "bare pid caps user kernel", by: "/proc/PID/fd; " + peer},
	{name: "root-link", title: "a process's root folder, by /proc", open: isolationChanges, hides: "bare pid caps user kernel", by: "/proc/PID/root; " + peer},
	{name: "enter", title: "a process's namespaces, joined", open: isolationChanges, cap: unix.CAP_SYS_ADMIN, hides: "pid caps user seccomp kernel", by: "setns(2) needs CAP_SYS_ADMIN; " + peer},
	{name: "seen", title: "the host sees the process inside", open: isolationSees, hides: "kernel", host: true,
		by: "a PID namespace hides what is outside from those inside, not the other way round (pid_namespaces(7))"},
	{name: "root-is-root", title: "root inside is root outside", open: isolationSees, hides: "user kernel", host: true,
		by: "user_namespaces(7), “User and group ID mappings”"},

	// Names and clocks.
	{name: "host-name", title: "the host's name", open: isolationChanges, cap: unix.CAP_SYS_ADMIN, hides: "uts kernel", guards: "caps user seccomp",
		by: "sethostname(2) needs CAP_SYS_ADMIN over the UTS namespace (uts_namespaces(7))"},
	{name: "kernel", title: "the host's kernel", open: isolationSees, hides: "kernel",
		by: "uname(2): there is one kernel, and no namespace for its version"},
	{name: "boot-id", title: "the number of the host's boot", open: isolationSees, path: "/proc/sys/kernel/random/boot_id", hides: "bare covers kernel",
		by: "/proc/sys/kernel/random/boot_id belongs to no namespace (random(4))"},
	{name: "up-time", title: "when the host was started", open: isolationSees, hides: "time kernel",
		by: "CLOCK_BOOTTIME (time_namespaces(7))"},
	{name: "clock", title: "the host's clock", open: isolationChanges, cap: unix.CAP_SYS_TIME, hides: "kernel", guards: "caps user",
		by: "adjtimex(2) needs CAP_SYS_TIME in the first user namespace; a time namespace has no time of day"},
	{name: "command-line", title: "the host's kernel command line", open: isolationSees, path: "/proc/cmdline", hides: "bare covers kernel",
		by: "/proc/cmdline belongs to no namespace"},
	{name: "memory-total", title: "the host's amount of memory", open: isolationSees, hides: "kernel",
		by: "sysinfo(2) knows no cgroup: a limit isn't what a program sees"},
	{name: "disks", title: "the list of the host's disks", open: isolationSees, path: "/sys/block", hides: "bare covers kernel",
		by: "sysfs shows all devices but those of a network (sysfs(5))"},
	{name: "cgroup-path", title: "its place in the host's cgroups", open: isolationSees, hides: "bare cgroup kernel",
		by: "/proc/PID/cgroup shows paths from the cgroup namespace's root (cgroup_namespaces(7))"},

	// Network.
	{name: "net-device", title: "a network device", open: isolationChanges, cap: unix.CAP_NET_ADMIN, hides: "net kernel", guards: "caps user",
		by: "a device is in one network namespace (network_namespaces(7)); changing it needs CAP_NET_ADMIN there"},
	{name: "net-port", title: "a port on 127.0.0.1", open: isolationChanges, hides: "net kernel",
		by: "each network namespace has a loopback device of its own"},
	{name: "net-abstract", title: "an abstract Unix socket", open: isolationChanges, hides: "net kernel",
		by: "abstract names belong to the network namespace, paths to the file system (unix(7))"},
	{name: "net-packets", title: "all packets of a network", open: isolationSees, cap: unix.CAP_NET_RAW, hides: "net caps user kernel",
		by: "a packet socket needs CAP_NET_RAW (packet(7))"},
	{name: "net-table", title: "the table of the host's sockets", open: isolationSees, hides: "bare net kernel",
		by: "/proc/net is the reader's network namespace's"},

	// IPC.
	{name: "ipc-memory", title: "System V shared memory", open: isolationChanges, hides: "ipc user kernel",
		by: "ipc_namespaces(7); and the segment's mode, for another user"},
	{name: "ipc-semaphore", title: "a System V semaphore", open: isolationChanges, hides: "ipc user kernel",
		by: "ipc_namespaces(7); and the semaphore's mode, for another user"},
	{name: "ipc-queue", title: "a POSIX message queue", open: isolationChanges, hides: "ipc user kernel",
		by: "ipc_namespaces(7); and the queue's mode, for another user"},
	{name: "ipc-list", title: "the list of semaphores", open: isolationSees, hides: "bare ipc kernel",
		by: "/proc/sysvipc is the reader's IPC namespace's"},
	{name: "keyring", title: "a key of root's keyring", open: isolationSees, hides: "user seccomp kernel",
		by: "keys belong to users, and a user is another one in another user namespace alone (keyrings(7))"},

	// The kernel, of which there is one.
	{name: "log", title: "the kernel's log", open: isolationSees, cap: unix.CAP_SYSLOG, hides: "caps user seccomp kernel", by: "syslog(2) needs CAP_SYSLOG for what wasn't read yet; if kernel.dmesg_restrict is 0, all of it can be read without"},
	{name: "log-device", title: "the kernel's log, by /dev/kmsg", open: isolationSees, hides: "root kernel", by: "it takes the node, which another /dev hasn't got"},
	{name: "sysctl", title: "a setting in /proc/sys", open: isolationChanges, path: "/proc/sys/kernel/panic", hides: "bare covers kernel", guards: "readonly user",
		by: "root may write to it where it isn't mounted read-only; no capability is asked for"},
	{name: "sysrq", title: "/proc/sysrq-trigger", open: isolationChanges, path: "/proc/sysrq-trigger", hides: "bare readonly user kernel",
		by: "root may write to it where it isn't mounted read-only; a letter restarts the machine"},
	{name: "sysfs", title: "a setting in /sys", open: isolationChanges, path: "/sys/kernel/mm/transparent_hugepage/enabled", hides: "bare covers kernel", guards: "readonly user",
		by: "root may write to it where it isn't mounted read-only"},
	{name: "release-agent", title: "a cgroup's release_agent", open: isolationChanges, cap: unix.CAP_SYS_ADMIN, hides: "caps user seccomp cgroup kernel",
		by: "mount(2) needs CAP_SYS_ADMIN; the file is in the root of a hierarchy of version 1 alone (cgroups(7))"},
	{name: "physical-memory", title: "all memory, by /proc/kcore", open: isolationSees, cap: unix.CAP_SYS_RAWIO, path: "/proc/kcore", hides: "bare covers caps user kernel", by: "it needs CAP_SYS_RAWIO (proc(5))"},
	{name: "interrupts", title: "the machine's interrupts", open: isolationSees, path: "/proc/interrupts", hides: "bare covers kernel",
		by: "/proc/interrupts belongs to no namespace: another user's keystrokes can be timed by it"},
	{name: "firmware", title: "the firmware's tables", open: isolationSees, path: "/sys/firmware", hides: "bare covers kernel", by: "/sys/firmware belongs to no namespace"},
	{name: "module", title: "the kernel's modules", open: isolationChanges, cap: unix.CAP_SYS_MODULE, hides: "caps user seccomp kernel", by: "delete_module(2) needs CAP_SYS_MODULE"},
	{name: "swap", title: "the machine's swap", open: isolationChanges, cap: unix.CAP_SYS_ADMIN, hides: "caps user seccomp kernel", by: "swapoff(2) needs CAP_SYS_ADMIN"},
	{name: "bpf", title: "the kernel's BPF programs", open: isolationSees, cap: unix.CAP_SYS_ADMIN, hides: "caps user seccomp kernel", by: "bpf(2) needs CAP_SYS_ADMIN for other programs' numbers"},
	{name: "trace-all", title: "what runs on a processor", open: isolationSees, cap: unix.CAP_PERFMON, hides: "caps user seccomp kernel", by: "perf_event_open(2) of all processes needs CAP_PERFMON"},
	{name: "file-watch", title: "everybody's access to files", open: isolationChanges, cap: unix.CAP_SYS_ADMIN, hides: "caps user seccomp kernel", by: "fanotify_init(2) with FAN_CLASS_CONTENT needs CAP_SYS_ADMIN"},
	{name: "io-ports", title: "the machine's I/O ports", open: isolationChanges, cap: unix.CAP_SYS_RAWIO, hides: "caps user seccomp kernel", by: "ioperm(2) needs CAP_SYS_RAWIO"},
	{name: "priority", title: "precedence over others", open: isolationChanges, cap: unix.CAP_SYS_NICE, hides: "caps user kernel", by: "a niceness below 0 needs CAP_SYS_NICE in the first user namespace (setpriority(2))"},
	{name: "oom", title: "being spared when memory runs out", open: isolationChanges, cap: unix.CAP_SYS_RESOURCE, hides: "bare caps user kernel", by: "a lower oom_score_adj needs CAP_SYS_RESOURCE in the first user namespace (proc(5))"},
	{name: "locked-memory", title: "more locked memory than allowed", open: isolationChanges, cap: unix.CAP_IPC_LOCK, hides: "caps user kernel", by: "mlock(2) past RLIMIT_MEMLOCK needs CAP_IPC_LOCK in the first user namespace"},
}

// metric is the name of its answers.
func (p isolationProbe) metric() string { return "reach-" + p.name }

// follows is what a probe should answer in an instance with these ingredients.
func (p isolationProbe) follows(o isolationOutside) int {
	any := func(words string) bool {
		return slices.ContainsFunc(strings.Fields(words), func(w string) bool {
			switch {
			case w == "caps" && p.cap != 0:
				return o.has[w] && o.caps&(1<<p.cap) == 0
			case w == "covers":
				return o.covered[p.path]
			case w == "readonly":
				return o.readonly[p.path]
			}
			return o.has[w]
		})
	}
	switch {
	case any(p.hides):
		return isolationNeither
	case any(p.guards):
		return isolationSees
	}
	return p.open
}

// help is what stops it, for the report.
func (p isolationProbe) help() string {
	s := "Stopped by any of: " + isolationTitles(p.hides) + "."
	if p.guards != "" {
		s += " Not changed with any of: " + isolationTitles(p.guards) + "."
	}
	return s + " Decided by: " + p.by + "."
}
