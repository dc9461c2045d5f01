package accel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"lab/bench"
	"lab/bench/usercache"
)

// FindEmulator finds QEMU.
func FindEmulator() (string, error) {
	for _, p := range []string{"/usr/bin/qemu-system-x86_64", "/usr/local/bin/qemu-system-x86_64", "/usr/libexec/qemu-kvm"} {
		if _, err := exec.LookPath(p); err == nil {
			return p, nil
		}
	}
	return "", bench.Unavailable("QEMU (qemu-system-x86_64) isn't installed", usercache.SetUp(usercache.GuestPackages))
}

// Qboot is a firmware that does nothing but start a kernel.
const Qboot = "/usr/share/qemu/qboot.rom"

// HasQboot says whether QEMU came with it.
func HasQboot() bool {
	_, err := os.Stat(Qboot)
	return err == nil
}

// runPace runs the probe's guest in QEMU alone; the pacer has what came until the
// error. That wraps context.DeadlineExceeded where it took longer than limit.
func runPace(ctx context.Context, qemu, guest, accel, cpu string, limit time.Duration) (p Pacer, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	args := []string{
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny",
		"-machine", "pc", "-accel", accel, "-cpu", cpu, "-m", "16",
		"-chardev", "stdio,id=serial,signal=off", "-serial", "chardev:serial",
		"-kernel", guest,
	}
	if HasQboot() {
		args = append(args, "-bios", Qboot) // the BIOS is millions of instructions
	}
	cmd := exec.CommandContext(ctx, qemu, args...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return p, err
	}
	// The kernel ends QEMU with us: with the thread that made it, that is.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return p, err
	}
	err = p.Listen(out)
	late := ctx.Err() // before it is ended by us
	cancel()
	cmd.Wait()
	switch {
	case err == nil:
		return p, nil
	case late != nil:
		return p, fmt.Errorf("QEMU with %s: %w", accel, late)
	}
	for line := range strings.Lines(said.String()) {
		if !strings.Contains(line, "warning: ") {
			err = errors.New(strings.TrimSpace(line)) // the last
		}
	}
	return p, fmt.Errorf("QEMU with %s: %w", accel, err)
}
