package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/probe/guestinit/wire"
)

// A domain of Xen's: this program in dom0 starts a guest, in which it runs a second time,
// and stands between that and the host. The guest's line to the outside is its console,
// which Xen's daemon in dom0 shows as a pseudo-terminal.

// domain starts the guest and carries what the two say. What keeps the guest from starting
// is told to the host in the guest's place.
func domain(b wire.Boot) error {
	port, err := openPort(b.Port)
	if err != nil {
		return err
	}
	line, at, err := startDomain(b.Domain)
	if err != nil {
		f, ferr := wire.New(wire.Hello, 0, wire.HelloBody{Version: wire.Version, Err: err.Error()})
		return errors.Join(err, ferr, send(port, f))
	}
	go hand(port, line) // ends with this program
	err = carry(line, port, at, b.Since)
	// The host learns of a guest's end by the machine's: nothing else would end it.
	say(fmt.Sprintf("guestinit: Xen's guest has ended: %v\n", err))
	restart()
	return err
}

// moments are when, on dom0's clock, the guest's start came to where it is.
type moments struct {
	create  time.Duration // xl create began
	unpause time.Duration // the guest was made, and began
}

// startDomain makes the guest's files, has xl make the guest, and sets it running.
func startDomain(d wire.Domain) (line *os.File, at moments, err error) {
	if err := unpackDomain(d, "/proc/self/exe", wire.DomainDir); err != nil {
		return nil, at, err
	}
	if err := awaitFile(consoled, daemonsWait); err != nil {
		return nil, at, fmt.Errorf("Xen's daemons in dom0: %w", err)
	}
	if d.Type == "pvh" {
		caps, err := output("xl", "info", "virt_caps")
		if err != nil {
			return nil, at, err
		}
		if !hasHVM(caps) {
			return nil, at, fmt.Errorf("Xen has no hardware virtualization for a PVH guest (xl info: virt_caps: %s); fix: --variant domain=pv", caps)
		}
	}
	at.create = now()
	// Paused, so that its console is listened to when its kernel begins.
	if _, err := output("xl", "create", "-p", "-q", filepath.Join(wire.DomainDir, "xl.cfg")); err != nil {
		return nil, at, err
	}
	id, err := output("xl", "domid", wire.DomainName)
	if err != nil {
		return nil, at, err
	}
	tty, err := output("xenstore-read", "/local/domain/"+id+"/console/tty")
	if err != nil {
		return nil, at, err
	}
	if line, err = openLine(tty); err != nil {
		return nil, at, err
	}
	_, err = output("xl", "unpause", wire.DomainName)
	at.unpause = now()
	return line, at, err
}

// consoled is made by the last of the daemons that xl talks to. systemd starts them with
// much else, and can't be asked from a PID namespace.
const (
	consoled    = "/run/xenconsoled.pid"
	daemonsWait = 2 * time.Minute
)

// awaitFile looks again and again: the kernel, which await listens to, tells of no files.
func awaitFile(name string, atMost time.Duration) error {
	for until := now() + atMost; ; time.Sleep(50 * time.Millisecond) {
		if _, err := os.Stat(name); err == nil {
			return nil
		} else if now() > until {
			return fmt.Errorf("no %s came within %v", name, atMost)
		}
	}
}

// hasHVM says whether Xen's list of what it can virtualize has hvm; PVH guests are HVM to it.
func hasHVM(caps string) bool { return slices.Contains(strings.Fields(caps), "hvm") }

// unpackDomain writes what follows on the init's program in a file into files of their own,
// as xl wants to have them.
func unpackDomain(d wire.Domain, from, dir string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	at := d.At
	for _, x := range []struct {
		name string
		size int64
	}{{"xl.cfg", d.Config}, {filepath.Base(wire.DomainKernel), d.Kernel}, {filepath.Base(wire.DomainInitrd), st.Size() - d.At - d.Config - d.Kernel}} {
		if x.size <= 0 {
			return fmt.Errorf("%s: %w", x.name, io.ErrUnexpectedEOF)
		}
		to, err := os.OpenFile(filepath.Join(dir, x.name), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		n, err := io.Copy(to, io.NewSectionReader(f, at, x.size))
		if err == nil && n < x.size {
			err = io.ErrUnexpectedEOF
		}
		if err = errors.Join(err, to.Close()); err != nil {
			return fmt.Errorf("%s: %w", x.name, err)
		}
		at += n
	}
	return nil
}

// restart resets the machine: of a PID namespace reboot(2) would end that alone.
func restart() {
	os.WriteFile("/proc/sysrq-trigger", []byte("b"), 0)
}

// now is the kernel's clock, which begins with it.
func now() time.Duration {
	var ts unix.Timespec
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return time.Duration(ts.Nano())
}

// output runs a program of dom0's, and returns what it says. Its error is what it says of
// itself. It does without os/exec, which each guest would unpack as part of this program.
func output(argv ...string) (string, error) {
	var path string
	for _, dir := range []string{"/usr/sbin", "/usr/bin"} {
		if p := filepath.Join(dir, argv[0]); unix.Access(p, unix.X_OK) == nil {
			path = p
			break
		}
	}
	if path == "" {
		return "", fmt.Errorf("%s: isn't in dom0; fix: cmd/setup/setup.sh --xen", argv[0])
	}
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return "", err
	}
	defer unix.Close(pipe[0])
	err := unix.SetNonblock(pipe[0], true)
	null, nerr := os.Open(os.DevNull)
	if err = errors.Join(err, nerr); err != nil {
		unix.Close(pipe[1])
		return "", err
	}
	pid, err := syscall.ForkExec(path, argv, &syscall.ProcAttr{Env: []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"},
		Files: []uintptr{null.Fd(), uintptr(pipe[1]), uintptr(pipe[1])}})
	unix.Close(pipe[1])
	null.Close()
	if err != nil {
		return "", fmt.Errorf("%s: %w", argv[0], err)
	}
	said, ws, err := untilEnd(pid, pipe[0])
	text := strings.TrimSpace(string(said))
	if err != nil || ws != 0 {
		return "", fmt.Errorf("%s in dom0 failed (status %d, %v): %s", strings.Join(argv, " "), ws.ExitStatus(), err, lastLines(text))
	}
	return text, nil
}

// untilEnd reads what a process says until it has ended, by a pipe that a daemon of its
// may have open for longer. More than it keeps is read, too: the process would wait.
func untilEnd(pid, pipe int) (said []byte, ws unix.WaitStatus, err error) {
	const most = 64 << 10
	buf := make([]byte, 4<<10)
	for ended := false; ; {
		n, rerr := unix.Read(pipe, buf)
		switch {
		case n > 0:
			said = append(said, buf[:min(n, most-len(said))]...)
			continue
		case rerr == unix.EINTR:
			continue
		case ended: // all that there was has come
			return said, ws, err
		case rerr == unix.EAGAIN:
			unix.Poll([]unix.PollFd{{Fd: int32(pipe), Events: unix.POLLIN}}, 10)
		default: // nobody has it open: the process ends, or has other things to do
			time.Sleep(time.Millisecond)
		}
		var got int
		if got, err = unix.Wait4(pid, &ws, unix.WNOHANG, nil); err == unix.EINTR {
			err = nil
		} else {
			ended = got == pid || err != nil
		}
	}
}

// lastLines is the end of a text, where the reason is.
func lastLines(text string) string {
	const most = 600
	return text[max(0, len(text)-most):]
}
