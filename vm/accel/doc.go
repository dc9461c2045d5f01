// Package accel finds out what executes guests on this machine: KVM, or QEMU's
// translator (TCG).
//
// A guest without an operating system ([PaceGuest], testdata/pace.s) runs under
// both and measures how much of each kind of guest code they execute in a second
// ([Pacer]). [ProbeHere] and [ProbeElsewhere] have libvirt run it; [Probe] does by
// QEMU alone, for doctor. The answer is a [Verdict], which the cache keeps.
//
// [Tiny] is the guest of environment vm-bare.
package accel
