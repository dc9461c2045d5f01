package vm

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"lab/bench/clock"
)

// runTiny runs a guest made by Tiny in QEMU alone, and returns how long it took
// from QEMU's start to the guest's last byte. The error wraps
// context.DeadlineExceeded where that took longer than limit.
func runTiny(ctx context.Context, qemu, guest, accel, cpu string, limit time.Duration) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	const word = probeWord
	cmd := exec.CommandContext(ctx, qemu,
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-machine", "pc", "-accel", accel, "-cpu", cpu, "-m", "16",
		"-chardev", "stdio,id=serial,signal=off", "-serial", "chardev:serial",
		"-kernel", guest, "-append", word)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	// The kernel ends QEMU with us: with the thread that made it, that is.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	began := clock.Now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	var text []byte
	var buf [256]byte
	var ended clock.Time
	for ended == 0 && err == nil {
		var n int
		n, err = out.Read(buf[:])
		text = append(text, buf[:n]...)
		if bytes.Contains(text, []byte(word+string(tinyEnd))) {
			ended = clock.Now()
		}
	}
	if ended != 0 {
		cancel() // it may be switching itself off, but need not
	}
	io.Copy(io.Discard, out)
	werr := cmd.Wait()
	switch {
	case ended != 0:
		return ended.Sub(began), nil
	case ctx.Err() != nil:
		return 0, fmt.Errorf("QEMU with %s: %w", accel, ctx.Err())
	}
	if lines := strings.Split(strings.TrimSpace(said.String()), "\n"); lines[0] != "" {
		werr = fmt.Errorf("%s", lines[len(lines)-1])
	} else if werr == nil {
		werr = io.ErrUnexpectedEOF
	}
	return 0, fmt.Errorf("QEMU with %s: %w", accel, werr)
}
