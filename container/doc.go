// Package container makes a container: a process that the kernel shows another
// machine than the one it runs on. There is nothing more to it, and it can be
// read here from top to bottom, in the order in which it happens:
//
//	namespaces.go  what the process sees: its own mounts, PIDs, network, names
//	cgroup         how much it may use (package bench/cgroup)
//	user.go        who its users are outside: a user namespace, where it is asked for
//	time.go        clocks that begin with it, likewise
//	network.go     a virtual cable from its network to the testbed's bridge
//	root.go        its root: an overlay over the image, and pivot_root into it
//	mount.go       the mount system calls that all of this is made with
//	dev.go         /dev, with exactly the usual nodes
//	proc.go        /proc and /sys, and what of them is hidden or read-only
//	bind.go        folders of the host, shown inside
//	privilege.go   what root inside may not do: capabilities, no_new_privs
//	seccomp.go     which system calls nobody inside may make
//	exec.go        how a further command gets in
//
// plan.go puts these in order, as a plan for bench/launch. All but a little
// runs on a disposable thread of the lab itself, with its namespaces already
// changed; the rest is system calls that the child makes between clone and
// exec. No other program takes part: no shim, no daemon, no second copy of the
// lab.
//
// # Closed against its payload
//
// The image is somebody else's, and so is the program. Four rules keep both
// from reaching the host while the container is made, and after:
//
//   - A path in the image is never handed to the kernel as text that it
//     resolves from the host's root. It is opened below the root's descriptor
//     with openat2, which refuses to leave it, or takes it for the root of all
//     links (bind.go), and what is mounted is mounted on that descriptor.
//   - What is mounted is complete before it is attached: /dev is filled while
//     nobody can see it.
//   - The payload inherits three descriptors and no folder of the host's. In
//     lab exec they are pipes, in lab run a pipe and the container's own null.
//   - What is executed is the file that was looked at, by its descriptor: no
//     script and no loader leads to the lab's own program (launch/program.go).
package container
