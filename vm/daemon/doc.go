// Package daemon is the lab's own libvirt ([Host]): a daemon in a mount namespace of
// its own, in which neither it nor QEMU sees anything of the machine that a domain
// doesn't need (mounts.go, nodes.go), and the QEMUs that it starts, each as a user
// whom nobody knows (user.go), waited for here (qemu.go).
//
// The daemon ends with the testbed's PID namespace, and its guests with it.
package daemon
