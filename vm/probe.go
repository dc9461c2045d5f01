package vm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/digitalocean/go-libvirt"

	"lab/bench"
	"lab/vm/accel"
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
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	stop := context.AfterFunc(ctx, i.unplug)
	defer stop()
	switch err = p.Listen(i.Ready()); {
	case err == nil:
		return p, nil
	case ctx.Err() != nil:
		return p, fmt.Errorf("a guest under %s: %w", virt, ctx.Err())
	}
	i.awaitEnd()
	return p, i.cause(err)
}
