// Package vm is the environment in which the workload has a kernel of its own:
// a guest that libvirt defines and starts, and QEMU runs.
//
// # Where to read
//
// A start begins in instance.go, with [instance.Start], and what it does is a
// [variant]'s: cold.go, restored.go, distro.go, xen.go, foreign.go or bare.go. The order before it is
// [Env.Open], [Env.Check] (check.go) and [Env.Prepare], which is system.go for a
// guest with an operating system; after it comes end.go. The rooms are
//
//	asked    what a Spec asks of a guest: size, devices, first process
//	accel    what executes guests, KVM or TCG, and how fast
//	kernel   the guest's kernel, unpacked, and its modules
//	disk     the image as an initramfs or a disk, and the guest's own disk
//	domain   the definition that libvirt gets, and the kernel's command line
//	client   the conversation with a libvirt daemon
//	daemon   the lab's own libvirt, what it sees, and who QEMU is
//	foreign  somebody else's libvirt (--connect): its volumes and networks
//	guest    what a guest says and is told: console, init, programs
//
// # What happens once a run (Open)
//
//  1. A libvirt daemon of the lab's own starts in a further mount namespace,
//     where nothing of the system's configuration is seen and nothing it writes
//     is kept. It dies with the testbed. See "Who QEMU is".
//  2. The lab connects to it, and has it find out what QEMU can do.
//  3. A guest without an operating system (package accel) runs under KVM and
//     under emulation. How much of each kind of guest code either executes in a
//     second says which is to be used, and why, and what kind of KVM this
//     machine has. The verdict is kept.
//
// # What later starts share (Prepare)
//
//  4. Package vm/kernel unpacks the guest's kernel, and the image becomes an
//     initramfs or, with root=ext4, a disk (package bench/image). All are kept
//     in the cache by digest.
//
//     With start=restored a guest is booted until its init waits for work,
//     once for each machine that is asked for, and saved to the testbed's
//     memory.
//
// # What is timed (Start)
//
//  5. The console is made: a pair of FIFOs.
//  6. libvirt gets the domain's definition ([domain.XML]), starts QEMU, configures it
//     and sets its CPU running.
//  7. Firmware enters the kernel ([domain.Cmdline] has its parameters; under emulation
//     it is told the rate of its clock, [accel.TSC]), which boots, unpacks the initramfs
//     and executes the workload as PID 1. Its output is the console.
//
// A distribution's kernel has the drivers of virtio's devices as modules.
// Where the guest has such a device, the lab's own init (bench/probe/guestinit)
// is executed first: it loads them, mounts the disks, and then becomes the
// workload. With Spec.Init it stays PID 1, and runs the workload, and further
// commands, as the host asks over a virtio serial port.
//
// # Devices
//
// A guest has no device that it isn't asked to have. The image can be a disk
// (root=ext4), read-only, under a layer that is the guest's RAM: one file for
// all guests. A disk of its own (disk=virtio, or disk=ide, which is emulated
// register by register) is a file without a name, gone when QEMU and the lab
// are. Its network (net=bridge) is a port of the testbed's bridge with an
// address from the containers' pool, or (net=user) one that QEMU plays, or
// (net=network) one that a foreign libvirt has; the
// card is virtio's or, nic=e1000, one that a driver of 2002 takes for real. The
// folders of Spec.Mounts come through virtiofs.
//
// The guest's init is told of these on the kernel's command line (wire.Boot). It
// knows the disks by their serial numbers. What is the guest's alone, a disk's
// file or a port, is made in Start, where "disk" is a mark.
//
// # Marks
//
// All on the host's clock: "prepare" is our own work; "libvirt" ends when QEMU
// is executed, which inotify tells; "qemu" when QEMU opens the console;
// "configure" when libvirt has set the CPU running; "boot" (with an init) when
// the guest says hello, and "exec" when it has executed the workload. Without
// an init what follows "configure" is firmware, kernel and workload in one: a
// kernel that says nothing, since talking costs time, can't be seen from
// outside.
//
// A guest that is restored has other parts: "restore" ends when QEMU has read the
// saved state and its CPU runs, "resume" when the init has the time and new
// random numbers.
//
// In a distribution (vm-distro, xen) "boot" is parts: "boot loader", which is firmware's as
// well, "kernel", "initramfs", "systemd" and "unit". Where one ends the guest tells, on its
// kernel's clock, with its hello; the host counts back from that. With a guest of Xen's
// (domain=pv or pvh) three more follow: "xl create", at whose end the guest is there and
// begins, "guest kernel" and "guest init".
//
// # Who QEMU is
//
// A guest's kernel and its saved state may be a stranger's, and QEMU has had bugs
// that a guest can use. So its process is nobody: each domain's is a user of its
// own that the machine doesn't know (daemon/user.go), without capabilities or a way to
// get any, under QEMU's own filter of system calls. Its root (daemon/mounts.go) has the
// system's programs to read, devices of the lab's making (nodes.go there), and of the
// cache the files of this run's domains, each by itself; no home, no other
// configuration, no process but its own. It owns its console, its channel and its
// data disk, which is mounted for it, and nothing else. libvirt changes no owner:
// the lab gives QEMU what is new, and the machine's own devices are not in sight.
//
// Two processes beside it are more: libvirt's daemon is root, in the same root
// folder; and virtiofsd, which has to make files for whichever user the guest
// names, is root in a sandbox of its own, whose root is the shared folder.
//
// QEMU shares the testbed's network namespace, in which it may open sockets like any
// user. libvirt makes a guest's tap in the namespace that it is in itself, where the
// bridge has to be, and QEMU inherits that; its user-mode network needs the testbed's
// loopback. A namespace of QEMU's own would need a second daemon without a bridge, or
// a libvirt that takes a tap by descriptor, which version 9 doesn't.
//
// # What ends a guest
//
// QEMU is held by a process descriptor: its end is an event, and killing it
// needs nobody's help. Its wait status says how it died (daemon/qemu.go). A guest whose
// CPU was stopped, by an internal error of KVM's or a full disk, says nothing more
// and would be waited for until a deadline: it is ended when libvirt tells of it
// (end.go). Domains are transient, and end with the connection that
// made them (autodestroy); the daemon and every QEMU end with the testbed's PID
// namespace.
//
// Package bench/foreign, which is for the programs of others, isn't used for all that: its
// instance is a child of the lab's that the lab executes, in namespaces and a cgroup of
// its making, with the workload's descriptors for its own. A QEMU is libvirt's child,
// found when it is there and held by a descriptor; the workload is none of its
// processes, and speaks by a console or a channel; a foreign libvirt's isn't on
// this machine at all. Its input and output are frames with credit on the channel
// (guest/stdio.go), and no pipes. What both do is common already: how a program is found
// (bench/launch), what is known of a process (bench/proc) and how it died (bench/testbed).
//
// # Whose libvirt
//
// By default the private daemon. After [Env.Connect] it is a foreign one, and
// QEMU lives where that is: the kernel and the image are uploaded as storage
// volumes; console and channel are streams of libvirt's ([client.Streams]); the end of a
// guest is libvirt's event; what dies with a killed lab is what its connection
// made, and the next one sweeps by the tag in the domains' metadata.
//
// # What libvirt costs
//
// BenchmarkVirshCreate and the marks tell. Two things were large and aren't any
// more: some 400 questions to QEMU about each CPU's properties (see daemon.QEMUConf's
// capability_filters), and 0.2 s of sleep at the end wherever libvirt found
// QEMU's zombie before we had waited for it (see gone).
//
// # What isn't a choice
//
// The machine microvm would boot fastest. libvirt makes it, and bare QEMU does,
// but under emulation (QEMU 7.2, Linux 6.1) it hangs in half of the boots: the
// kernel waits in calibrate_delay for its first tick, while the timer's
// interrupt is pending in the interrupt controller and never gets to the CPU. A
// kernel that talks while it boots hides it.
//
// Only this package and its rooms import libvirt's modules.
package vm
