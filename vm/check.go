package vm

import (
	"cmp"
	"context"
	"errors"

	"lab/bench"
	"lab/bench/cgroup"
	"lab/bench/image"
	"lab/vm/kernel"
)

// Check says whether this machine can run s.
func (e *Env) Check(ctx context.Context, s bench.Spec) error {
	if e.tb == nil {
		return errors.New("vm: not open")
	}
	if e.unfit != nil {
		var u *bench.UnfitError
		if !errors.As(e.unfit, &u) {
			return bench.Unavailable(e.unfit.Error(), "")
		}
		return e.unfit
	}
	if e.far != nil {
		if err := notFar(s); err != nil {
			return err
		}
	}
	if s.Settings["firmware"] == "qboot" && !exists(qboot) {
		return bench.Unavailable("QEMU came without "+qboot, "--variant firmware=seabios")
	}
	if s.Settings["firmware"] == "qboot" && s.Settings["acpi"] == "off" {
		return bench.NotApplicable("qboot leaves the guest's interrupts to ACPI", "--variant acpi=on or firmware=seabios")
	}
	if e.bare {
		return e.checkBare(s)
	}
	if s.Settings["accel"] == "kvm" && e.accel.Use != "kvm" {
		cure := "--accel tcg, no measure of a VM's speed (lab doctor says more)"
		tried := e.accel.CPU != "" // else it doesn't so much as open
		if tried {
			cure = "--anyway, or " + cure
		}
		if !tried || s.Settings["anyway"] != "yes" {
			return bench.Unavailable(e.accel.Brief(), cure)
		}
	}
	if len(s.Ports) > 0 {
		return bench.NotApplicable("a guest's ports can be reached from the testbed's bridge alone", "--env container")
	}
	if restored(s) {
		if err := notSaved(s); err != nil {
			return err
		}
	}
	s = actual(s)
	if l := s.Limits; l.CPUWeight != 0 || l.Swap != 0 || l.IO != (cgroup.IO{}) {
		return bench.NotApplicable("a guest's programs have its kernel to themselves, and nothing keeps limits of CPU weight, swap or I/O there", "use limits of CPU, memory and processes only")
	}
	if err := cmp.Or(checkSize(s), e.checkRoom(s)); err != nil {
		return err
	}
	if s.Settings["root"] != "ext4" {
		if err := unpacks(s.Image.Size, e.memory(s)); err != nil {
			return err
		}
	}
	if !s.Init {
		if err := direct(s); err != nil {
			return err
		}
	}
	if staged(s) {
		if _, err := guestInit(); err != nil {
			return bench.Unavailable(err.Error(), "make build")
		}
	}
	if s.Settings["root"] == "ext4" {
		if _, err := image.FindTool("mkfs.ext4"); err != nil {
			return bench.Unavailable(err.Error(), "make setup")
		}
	}
	if err := cmp.Or(e.checkData(s), e.checkCard(ctx, s), checkShares(s)); err != nil {
		return err
	}
	k, err := e.kernel(s)
	switch {
	case errors.Is(err, kernel.ErrNone) && kernelName(s) == fullKernel:
		return bench.Unavailable("the distribution's full kernel isn't in the cache, and an emulated network card needs its driver", "make full-kernel (some 70 MB)")
	case errors.Is(err, kernel.ErrNone):
		return bench.Unavailable(err.Error(), "make setup")
	case err != nil:
		return bench.Unavailable(err.Error(), "make setup, or name another file with --kernel")
	case !staged(s):
		return nil
	case k.Modules == "":
		return bench.Unavailable("the modules of kernel "+k.Version+" aren't on this machine", "make setup, or install them")
	}
	if _, err := e.drivers(k, s); err != nil {
		return bench.Unavailable(err.Error(), "make full-kernel, then --variant kernel=full")
	}
	return nil
}

// notSaved says what a guest can't have that is restored: all that are share
// one state, and what the kernel in it knows of its devices.
func notSaved(s bench.Spec) error {
	const cure = "--variant start=cold"
	switch net := s.Settings["net"]; {
	case hasDisk(s):
		return bench.NotApplicable("the file system of a guest's own disk would be in the saved state, and the disk is another one each time", cure)
	case net != "" && net != "none":
		return bench.NotApplicable("all guests of one saved state would have the same address", cure)
	case bench.Cold(s):
		return bench.NotApplicable("the saved state lies in RAM, and nowhere else", cure)
	case len(s.Mounts) > 0:
		return bench.NotApplicable("the saved state would know the files of the host's folders as they were", cure)
	}
	return nil
}

// notFar says what a foreign libvirt can't be asked for.
func notFar(s bench.Spec) error {
	const cure = "without --connect"
	switch {
	case restored(s):
		return bench.NotApplicable("a saved guest is a file of this machine's, and the foreign libvirt would restore it under one name alone", cure)
	case bench.Cold(s):
		return bench.NotApplicable("what the foreign libvirt's machine has in memory is its own affair", cure)
	case s.Settings["firmware"] == "qboot":
		return bench.NotApplicable("which firmware the foreign libvirt's machine has isn't known here", cure+", or --variant firmware=seabios")
	case hasDisk(s):
		return bench.NotApplicable("a guest's own disk is a file without a name on this machine", cure)
	case s.Settings["net"] == "bridge":
		return bench.NotApplicable("the testbed's bridge is on this machine, and the guest isn't", cure+", or --variant net=network,network=NAME of one that the foreign libvirt has")
	case len(s.Mounts) > 0:
		return bench.NotApplicable("the folders are on this machine, and the guest isn't", cure)
	}
	return nil
}

// direct says whether a workload can be PID 1, started by the kernel itself.
func direct(s bench.Spec) error {
	const cure = "run it under the guest's init (Spec.Init)"
	c := s.Command
	switch {
	case c.User.UID != 0 || c.User.GID != 0 || len(c.User.Groups) > 0:
		return bench.NotApplicable("a guest's PID 1 is root", cure)
	case c.Dir != "" && c.Dir != "/":
		return bench.NotApplicable("a guest's PID 1 starts in /", cure)
	case c.Stdin != nil || c.Stdout != nil || c.Stderr != nil || c.TTY:
		return bench.NotApplicable("a guest's PID 1 has a console and no other input or output", cure)
	case s.Limits.Pids != 0:
		return bench.NotApplicable("nothing in the guest would keep a limit of processes", cure)
	}
	if len(c.Argv) > 0 {
		if _, err := (Cmdline{Init: "/x", Args: c.Argv[1:], Env: kernelEnv(c.Env)}).String(); err != nil {
			return bench.NotApplicable(err.Error(), cure)
		}
	}
	return nil
}

// kernelEnv is what of an environment the kernel doesn't set by itself.
func kernelEnv(env []string) (out []string) {
	for _, v := range env {
		if v != "HOME=/" && v != "TERM=linux" {
			out = append(out, v)
		}
	}
	return out
}
