//go:build !amd64

package accel

// timestamp is 0: this processor has another counter, and QEMU its own way to imitate one.
func timestamp() uint64 { return 0 }
