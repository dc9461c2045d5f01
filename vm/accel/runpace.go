package accel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

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
