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
	"lab/bench/image"
	"lab/vm/accel"
	"lab/vm/daemon"
	"lab/vm/domain"
)

// bareMemory is what the machine without an operating system gets: firmware
// needs a few megabytes, the guest less than a page.
const bareMemory = 16 << 20

// lingers is how many turns the tiny guest makes between the token and its end
// in a foreign libvirt: a few hundredths of a second. Its console there is a
// pseudo-terminal, which takes what wasn't read with it when QEMU ends.
const lingers = 20_000_000

// NewBare returns the environment vm-bare: a virtual machine without an
// operating system. Its guest is [Tiny], which does by itself what the startup
// scenario's workload does: it writes the token and ends. Beside vm it shows
// how much of a VM's start is the machine, and how much the system in it.
//
// Under KVM it runs wherever the device opens, also where the probe found
// KVM to be of no use: it needs so little of it.
func NewBare() *Env {
	a := about()
	a.Is, a.Needs = "a libvirt domain without an operating system: the machine alone", "root, QEMU, libvirt's daemon; KVM to be fast"
	a.Caveat = "a machine without an operating system, in which a few instructions stand in for the workload"
	return &Env{name: "vm-bare", about: a, bare: true}
}

// bareGuest is the tiny guest of vm-bare, in the lab's own libvirt or in a foreign
// one. It has no init, and its command line is the token.
type bareGuest struct{ variant }

var errNoSystem = bench.NotApplicable("a machine without an operating system runs no programs; it stands in for the startup scenario's alone", "the environment vm")

func (v bareGuest) refuses(s bench.Spec) error {
	if err := v.variant.refuses(s); err != nil {
		return err
	}
	if s.Init {
		return errNoSystem
	}
	if l := s.Limits; l.CPU != 0 || l.Memory != 0 || l.Pids != 0 {
		return bench.NotApplicable("a few instructions without an operating system have nothing to limit", "leave vm-bare out with --env, or run without limits")
	}
	if s.Settings["accel"] == "kvm" {
		if err := accel.KVMOpens(); err != nil {
			return bench.Unavailable(err.Error(), "--accel tcg (which says nothing of a VM's speed), or use a machine with KVM")
		}
	}
	return nil
}

func (v bareGuest) describe(_, _ []string) (prepare, start []string) {
	return v.variant.describe([]string{"libvirt's daemon runs, is connected to, and knows what QEMU can do"},
		[]string{"make the console", "libvirt starts QEMU and configures it", "firmware enters the guest at its PVH entry", "a few instructions write the token"})
}

func (bareGuest) prepare(ctx context.Context, i *instance) (err error) {
	c := i.spec.Command
	if len(c.Argv) != 2 || c.Argv[0] != image.ReadyPath {
		return errNoSystem
	}
	if err := domain.Plain(c.Argv[1]); err != nil {
		return bench.NotApplicable(err.Error(), "--env vm")
	}
	i.cfg.Cmdline = c.Argv[1]
	file := filepath.Join(i.env.bed(), "tiny.elf")
	loops := uint32(1)
	if i.cfg.Remote {
		loops = lingers
	}
	if err := os.WriteFile(file, accel.Tiny(loops), 0o644); err != nil {
		return err
	}
	return i.prepareBare(ctx, file)
}

// prepareBare defines a machine for a guest without an operating system.
func (i *instance) prepareBare(ctx context.Context, file string) (err error) {
	if _, err := i.env.libvirt.Connection(ctx); err != nil {
		return err
	}
	// The tiny guest's switch is an ACPI register.
	i.cfg.Memory, i.cfg.ACPI = bareMemory, true
	i.cfg.Kernel, err = i.put(ctx, file)
	return err
}

// last is firmware and a few instructions, and shows how little of a start that is.
func (bareGuest) last(*instance) string { return "first byte" }

// status says how a tiny guest ended: its last byte is a line feed, and then it
// switched itself off. In a foreign libvirt its console is a pseudo-terminal, which
// takes what wasn't read with it when QEMU ends: that byte may be lost.
func (bareGuest) status(i *instance, e bench.Exit) (bench.Exit, error) {
	text := daemon.Tail(i.file(".console"), 4<<10)
	if bytes.HasSuffix(text, []byte(i.cfg.Cmdline+string(accel.TinyEnd))) || i.cfg.Remote && bytes.HasSuffix(text, []byte(i.cfg.Cmdline)) {
		e.Code = 0
		return e, nil
	}
	return e, i.explain(bench.Blamed(bench.BlameMachine, accel.ErrSilent))
}

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
