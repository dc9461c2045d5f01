package vm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/digitalocean/go-libvirt"
	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/clock"
	"lab/vm/accel"
	"lab/vm/guest"
)

// probe finds out what executes guests, through libvirt: the way in which all
// guests of the lab are run, with libvirt's own conditions.
func (e *Env) probe(ctx context.Context) (err error) {
	file := filepath.Join(e.bed(), "probe.elf")
	if err := os.WriteFile(file, accel.PaceGuest(), 0o644); err != nil {
		return err
	}
	defer os.Remove(file)
	run := func(ctx context.Context, accel, cpu string, limit time.Duration) (accel.Pacer, error) {
		return e.runPace(ctx, file, accel, cpu, limit)
	}
	if e.far == nil {
		e.accel, err = accel.ProbeHere(ctx, e.tb.Cache, e.emulator, run)
		return err
	}
	c, err := e.far.Connection(ctx)
	if err != nil {
		return err
	}
	open := c.Call(ctx, "ask for KVM", askTimeout, func(l *libvirt.Libvirt) error {
		_, err := l.ConnectGetDomainCapabilities(nil, libvirt.OptString{"x86_64"}, nil, libvirt.OptString{"kvm"}, 0)
		return err
	})
	e.accel, err = accel.ProbeElsewhere(ctx, open, run)
	return err
}

// runPace runs the probe's guest as a domain, from its CPU's start on; the pacer
// has what came until the error. That wraps context.DeadlineExceeded where the
// guest took longer than limit.
func (e *Env) runPace(ctx context.Context, file, virt, cpu string, limit time.Duration) (p accel.Pacer, err error) {
	i := e.newInstance(bench.Spec{Settings: map[string]string{"accel": virt}}, e.plain())
	if i.cfg.CPU = cpu; e.far == nil && accel.HasQboot() {
		// The BIOS is millions of instructions in real mode, which some KVMs
		// emulate one by one.
		i.cfg.Firmware = accel.Qboot
	}
	if err := i.prepareBare(ctx, file); err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, i.Close()) }()
	if err := i.Start(ctx); err != nil {
		return p, err
	}
	err = readSerial(ctx, i.Ready(), limit, func(b []byte, at clock.Time) bool { p.Take(b, at); return p.Done })
	if errors.Is(err, context.DeadlineExceeded) {
		return p, fmt.Errorf("a guest under %s: %w", virt, err)
	}
	if err != nil {
		i.awaitEnd()
		err = i.cause(err)
	}
	return p, err
}

// readSerial reads from a descriptor that blocks, until enough came.
func readSerial(ctx context.Context, f *os.File, limit time.Duration, enough func([]byte, clock.Time) bool) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	end, _ := ctx.Deadline()
	var buf [256]byte
	return guest.Control(f, func(fd int) error {
		for {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			// In short turns, as poll(2) doesn't know of the context.
			wait := min(time.Until(end), 100*time.Millisecond)
			fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
			if _, err := unix.Poll(fds, max(0, int(wait/time.Millisecond))+1); err != nil && err != unix.EINTR {
				return os.NewSyscallError("poll", err)
			}
			if fds[0].Revents == 0 {
				continue
			}
			n, err := unix.Read(fd, buf[:])
			switch {
			case err == unix.EINTR:
				continue
			case err != nil:
				return os.NewSyscallError("read", err)
			case n == 0:
				return accel.ErrSilent
			}
			if enough(buf[:n], clock.Now()) {
				return nil
			}
		}
	})
}
