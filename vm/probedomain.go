package vm

import (
	"bytes"
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
)

// probeWord is what the probe's guest says first.
const probeWord = "lab-probe"

// probe finds out what executes guests, through libvirt: the way in which all
// guests of the lab are run, with libvirt's own conditions.
func (e *Env) probe(ctx context.Context) error {
	if e.far != nil {
		return e.probeFar(ctx)
	}
	v, err := cachedVerdict(e.tb.Cache, e.emulator)
	if err != nil || v.By == byLibvirt {
		e.accel = v
		return err
	}
	v = Verdict{Key: v.Key}
	v.By = byLibvirt
	file := filepath.Join(e.bed(), "probe.elf")
	if err := os.WriteFile(file, Tiny(probeLoops), 0o644); err != nil {
		return err
	}
	defer os.Remove(file)
	e.reaper.hold()
	defer e.reaper.release()
	if err := v.find(ctx, kvmOpens(), func(ctx context.Context, accel, cpu string, limit time.Duration) (time.Duration, error) {
		return e.runTiny(ctx, file, accel, cpu, limit)
	}); err != nil {
		return err
	}
	v.keep(e.tb.Cache)
	e.accel = v
	return nil
}

// probeFar is probe for a foreign libvirt: what this machine has is no matter
// there, and the verdict isn't kept.
func (e *Env) probeFar(ctx context.Context) error {
	file := filepath.Join(e.bed(), "probe.elf")
	if err := os.WriteFile(file, Tiny(probeLoops), 0o644); err != nil {
		return err
	}
	c, err := e.connection(ctx)
	if err != nil {
		return err
	}
	// It says whether its QEMU has KVM at all.
	open := c.call(ctx, "ask for KVM", 2*daemonStart, func(l *libvirt.Libvirt) error {
		_, err := l.ConnectGetDomainCapabilities(nil, libvirt.OptString{"x86_64"}, nil, libvirt.OptString{"kvm"}, 0)
		return err
	})
	v := Verdict{elsewhere: true}
	v.By = byLibvirt
	err = v.find(ctx, open, func(ctx context.Context, accel, cpu string, limit time.Duration) (time.Duration, error) {
		return e.runTiny(ctx, file, accel, cpu, limit)
	})
	e.accel = v
	return err
}

// runTiny runs a guest made by Tiny as a domain, and returns how long it took
// from its CPU's start to its last byte. The error wraps
// context.DeadlineExceeded where that took longer than limit.
func (e *Env) runTiny(ctx context.Context, file, accel, cpu string, limit time.Duration) (took time.Duration, err error) {
	i := e.newInstance(bench.Spec{Settings: map[string]string{"accel": accel}}, guestKernel{file: file})
	i.cfg.CPU, i.cfg.Memory, i.cfg.ACPI, i.cfg.Cmdline = cpu, bareMemory, true, probeWord
	if i.cfg.Kernel, err = i.put(ctx, file); err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, i.Close()) }()
	if err := i.Start(ctx); err != nil {
		return 0, err
	}
	marks := i.Marks()
	began := marks[len(marks)-1].At
	said, err := readUntil(ctx, i.Ready(), []byte(probeWord+string(tinyEnd)), limit)
	if errors.Is(err, context.DeadlineExceeded) {
		return 0, fmt.Errorf("a guest under %s: %w", accel, err)
	}
	if errors.Is(err, errSilent) && i.far != nil && i.saidAll(probeWord) {
		return clock.Now().Sub(began), nil
	}
	if err != nil {
		return 0, i.explain(err)
	}
	return said.Sub(began), nil
}

var errSilent = errors.New("the guest ended before it had said all")

// saidAll says whether the tiny guest came to its end. In a foreign libvirt its
// console is a pseudo-terminal, which takes what wasn't read with it when QEMU
// ends: the last byte, after which the guest switches itself off, may be lost.
func (i *instance) saidAll(word string) bool {
	text := tail(i.file(".console"), 4<<10)
	return bytes.HasSuffix(text, []byte(word+string(tinyEnd))) || i.far != nil && bytes.HasSuffix(text, []byte(word))
}

// readUntil reads from a descriptor that blocks, until a text came.
func readUntil(ctx context.Context, f *os.File, text []byte, limit time.Duration) (at clock.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	end, _ := ctx.Deadline()
	var all []byte
	var buf [256]byte
	err = control(f, func(fd int) error {
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
				return errSilent
			}
			if all = append(all, buf[:n]...); bytes.Contains(all, text) {
				at = clock.Now()
				return nil
			}
		}
	})
	return at, err
}
