// Package domain is the guest's machine on paper: its definition for libvirt
// ([XML]), the kernel's command line ([Cmdline]), and the head of a file in which
// libvirt saved one ([Saved]). All are pure functions, and kept by golden files.
//
// Paths in a definition are as the libvirt daemon sees them.
package domain
