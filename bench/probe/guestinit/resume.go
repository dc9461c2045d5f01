package main

import (
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"lab/bench/probe/guestinit/wire"
)

// resume brings a guest that was saved up to date: its clock stood still since,
// and its kernel's random numbers are those of every guest restored from the
// same state. jump is how far the clock was set forward.
func resume(f wire.Frame) (jump time.Duration, err error) {
	now, seed, err := wire.ResumeOf(f)
	if err != nil {
		return 0, err
	}
	to := unix.NsecToTimespec(now.UnixNano())
	jump = time.Until(now)
	if err := unix.ClockSettime(unix.CLOCK_REALTIME, &to); err != nil {
		return 0, os.NewSyscallError("clock_settime", err)
	}
	return jump, reseed(seed)
}

// reseed mixes a seed into the kernel's pool, and has its generator begin anew
// from there (random(4)); what was drawn ahead from the old state is dropped.
func reseed(seed []byte) error {
	const (
		addEntropy = 0x40085203 // RNDADDENTROPY
		begin      = 0x5207     // RNDRESEEDCRNG
	)
	f, err := os.OpenFile("/dev/urandom", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	var pool struct { // struct rand_pool_info
		bits, size int32
		buf        [wire.SeedSize]byte
	}
	n := copy(pool.buf[:], seed)
	pool.bits, pool.size = int32(n)*8, int32(n)
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, f.Fd(), addEntropy, uintptr(unsafe.Pointer(&pool))); e != 0 {
		return os.NewSyscallError("ioctl(RNDADDENTROPY)", e)
	}
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, f.Fd(), begin, 0); e != 0 {
		return os.NewSyscallError("ioctl(RNDRESEEDCRNG)", e)
	}
	return nil
}
