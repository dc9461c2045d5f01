// Package foreign makes environments of other people's programs: an instance is
// whatever process tree such a program makes when it is run as a command. What all of
// them share is here; a [Maker] says what one of them does differently.
//
// # How a start goes
//
//  1. The lab makes two cgroups: one for the program, one with the limits for what
//     it makes (where it makes none itself, one is both).
//  2. A disposable thread of the lab's (package launch) takes a mount namespace of its
//     own, and for net=bridge a network namespace with a port of the testbed's bridge.
//     In it the instance's cgroup is the top of each hierarchy, and the testbed's run
//     folder is covered by a tmpfs: the instance's root, an overlay over the image as
//     every environment has it, and the program's own files and state.
//  3. The thread executes the program. Its standard descriptors are the workload's.
//
// # What holds it
//
// The program is a child of the lab's and leads a session. All that it starts is in one
// of the two cgroups, which are tagged; all that it writes is in mounts that nobody else
// has. So when the lab is killed, the kernel, the watcher or the next sweep end it and
// remove what it was made of. Nothing of this asks the program for its help.
//
// # What it may do
//
// Anything. It may hang: after [StartWithin] without a workload it is killed, and after
// a workload was killed it has [EndWithin] to end by itself. It may end early, print
// without end or start daemons: a few KiB of what it said last are kept, cleaned, for the
// one error that says so.
package foreign
