package vm

import (
	"context"
	"os"
	"path/filepath"

	"lab/bench"
	"lab/bench/image"
	"lab/vm/accel"
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
	e := New()
	e.bare = true
	return e
}

var errNoSystem = bench.NotApplicable("a machine without an operating system runs no programs; it stands in for the startup scenario's alone", "the environment vm")

// checkBare says whether this machine can run the tiny guest.
func (e *Env) checkBare(s bench.Spec) error {
	if s.Settings["accel"] == "kvm" {
		if err := accel.KVMOpens(); err != nil {
			return bench.Unavailable(err.Error(), "--accel tcg (which says nothing of a VM's speed), or use a machine with KVM")
		}
	}
	if s.Init {
		return errNoSystem
	}
	return nil
}

// prepareBare writes the tiny guest down. Its command line is the token.
func (e *Env) prepareBare(ctx context.Context, s bench.Spec) (bench.Instance, error) {
	c := s.Command
	if len(c.Argv) != 2 || c.Argv[0] != image.ReadyPath {
		return nil, errNoSystem
	}
	if err := domain.Plain(c.Argv[1]); err != nil {
		return nil, bench.NotApplicable(err.Error(), "--env vm")
	}
	file := filepath.Join(e.bed(), "tiny.elf")
	loops := uint32(1)
	if e.far != nil {
		loops = lingers
	}
	if err := os.WriteFile(file, accel.Tiny(loops), 0o644); err != nil {
		return nil, err
	}
	if _, err := e.connection(ctx); err != nil {
		return nil, err
	}
	i := e.newInstance(s, guestKernel{file: file})
	var err error
	if i.cfg.Kernel, err = i.put(ctx, file); err != nil {
		return nil, err
	}
	i.cfg.Cmdline = c.Argv[1]
	return i, nil
}

// bareStatus says how a tiny guest ended: its last byte is a line feed, and
// then it switched itself off.
func (i *instance) bareStatus(e bench.Exit) (bench.Exit, error) {
	if i.saidAll(i.cfg.Cmdline) {
		e.Code = 0
		return e, nil
	}
	return e, i.explain(bench.Blamed(bench.BlameMachine, accel.ErrSilent))
}

func describeBare() (prepare, start []string) {
	return []string{"libvirt's daemon runs, is connected to, and knows what QEMU can do"},
		[]string{"make the console", "libvirt starts QEMU and configures it", "firmware enters the guest at its PVH entry", "a few instructions write the token"}
}
