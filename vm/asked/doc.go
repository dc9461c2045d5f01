// Package asked is what a Spec asks of a guest, and what its settings come to: its
// size (size.go), its devices and the modules that these need (devices.go), and who
// is its first process (first.go). Each Check says what can't be had, and what to
// ask instead.
package asked
