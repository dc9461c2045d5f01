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

	"lab/bench"
	"lab/bench/clock"
)

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
	if err := os.WriteFile(file, paceGuest(), 0o644); err != nil {
		return err
	}
	defer os.Remove(file)
	e.reaper.hold()
	defer e.reaper.release()
	if err := v.find(ctx, kvmOpens(), func(ctx context.Context, accel, cpu string, limit time.Duration) (pacer, error) {
		return e.runPace(ctx, file, accel, cpu, limit)
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
	if err := os.WriteFile(file, paceGuest(), 0o644); err != nil {
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
	err = v.find(ctx, open, func(ctx context.Context, accel, cpu string, limit time.Duration) (pacer, error) {
		return e.runPace(ctx, file, accel, cpu, limit)
	})
	e.accel = v
	return err
}

// runPace runs the probe's guest as a domain, from its CPU's start on; the pacer
// has what came until the error. That wraps context.DeadlineExceeded where the
// guest took longer than limit.
func (e *Env) runPace(ctx context.Context, file, accel, cpu string, limit time.Duration) (p pacer, err error) {
	i := e.newInstance(bench.Spec{Settings: map[string]string{"accel": accel}}, guestKernel{file: file})
	i.cfg.CPU, i.cfg.Memory, i.cfg.ACPI = cpu, bareMemory, true
	if e.far == nil && exists(qboot) {
		// The BIOS is millions of instructions in real mode, which some KVMs
		// emulate one by one.
		i.cfg.Firmware = qboot
	}
	if i.cfg.Kernel, err = i.put(ctx, file); err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, i.Close()) }()
	if err := i.Start(ctx); err != nil {
		return p, err
	}
	err = readSerial(ctx, i.Ready(), limit, func(b []byte, at clock.Time) bool { p.take(b, at); return p.done })
	if errors.Is(err, context.DeadlineExceeded) {
		return p, fmt.Errorf("a guest under %s: %w", accel, err)
	}
	if err != nil {
		i.awaitEnd()
		err = i.cause(err)
	}
	return p, err
}

// saidAll says whether the tiny guest came to its end. In a foreign libvirt its
// console is a pseudo-terminal, which takes what wasn't read with it when QEMU
// ends: the last byte, after which the guest switches itself off, may be lost.
func (i *instance) saidAll(word string) bool {
	text := tail(i.file(".console"), 4<<10)
	return bytes.HasSuffix(text, []byte(word+string(tinyEnd))) || i.far != nil && bytes.HasSuffix(text, []byte(word))
}
