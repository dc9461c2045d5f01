package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/launch"
	"lab/bench/testbed"
	"lab/bench/usercache"
	"lab/vm/kernel"
)

// A guest that takes no signal is ended by the third all the same: within two
// seconds nothing of it is left, and the machine is free.
func TestEndsWhateverItIs(t *testing.T) {
	needs(t)
	cache, err := usercache.Dir()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kernel.Newest(cache); err != nil {
		t.Skip(err, "; fix: make setup")
	}
	const up = "it is up" // for what it wrote before it halts to come through, it sleeps
	for _, c := range []struct {
		name, command string
		signal        syscall.Signal // thrice; 0: it ends by itself, as its kernel says that it has halted
		stop, typed   bool
	}{
		{"halted", "sleep 1; halt -f", 0, false, false},
		{"switched off", "sleep 1; poweroff -f", 0, false, false},
		{"halted on a terminal", "sleep 1; halt -f", 0, false, true},
		{"QEMU stopped", "sleep 1000", syscall.SIGTERM, true, false},
		{"QEMU stopped on a terminal", "sleep 1000", syscall.SIGINT, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := startLab(t, c.typed, "exec", "vm", "--", "sh", "-c", "echo "+up+"; "+c.command)
			x.until(t, up)
			if c.signal == 0 {
				x.ends(t, 20*time.Second, 125)
				return
			}
			time.Sleep(time.Second)
			if c.stop {
				if err := unix.Kill(qemuOf(t, x.cmd.Process.Pid), unix.SIGSTOP); err != nil {
					t.Fatal(err)
				}
			}
			for range 3 {
				if c.typed {
					x.terminal.Write([]byte{3})
				} else {
					x.cmd.Process.Signal(c.signal)
				}
				time.Sleep(100 * time.Millisecond)
			}
			x.ends(t, 2*time.Second, 137)
			lock, err := testbed.Acquire(true)
			if err != nil {
				t.Fatal(err)
			}
			lock.Release()
		})
	}
}

// A labProcess is this program as a user runs it.
type labProcess struct {
	cmd      *exec.Cmd
	out      *os.File // what it writes, to be read
	terminal *os.File // the user's end, or nil
	said     bytes.Buffer
	ended    chan struct{}
}

// startLab starts lab, on a terminal or with pipes.
func startLab(t *testing.T, tty bool, args ...string) *labProcess {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Args[0] = "lab"
	x := &labProcess{cmd: cmd, ended: make(chan struct{})}
	var theirs *os.File
	var err error
	if tty {
		x.terminal, theirs, err = launch.OpenTerminal(unix.AT_FDCWD, "/dev/ptmx")
		x.out = x.terminal
		cmd.Args = append([]string{"lab", "exec", "vm", "-t"}, args[2:]...)
		cmd.Stdin = theirs
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	} else {
		x.out, theirs, err = os.Pipe()
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = theirs, theirs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	go func() { cmd.Wait(); close(x.ended) }()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-x.ended
		x.out.Close()
	})
	return x
}

// until reads until lab has written a text.
func (x *labProcess) until(t *testing.T, text string) {
	t.Helper()
	found := make(chan error, 1)
	go func() {
		buf := make([]byte, 4096)
		for !bytes.Contains(x.said.Bytes(), []byte(text)) {
			n, err := x.out.Read(buf)
			if x.said.Write(buf[:n]); err != nil {
				found <- err
				return
			}
		}
		found <- nil
		for { // and go on, or it might be held up
			if _, err := x.out.Read(buf); err != nil {
				return
			}
		}
	}()
	select {
	case err := <-found:
		if err != nil {
			t.Fatalf("%v; it wrote %q", err, x.said.String())
		}
	case <-time.After(time.Minute):
		t.Fatalf("it didn't write %q", text)
	}
}

// ends expects an end within some time, with a status.
func (x *labProcess) ends(t *testing.T, most time.Duration, status int) {
	t.Helper()
	began := time.Now()
	select {
	case <-x.ended:
		t.Logf("ended after %v", time.Since(began).Round(time.Millisecond))
		if got := x.cmd.ProcessState.ExitCode(); got != status {
			t.Errorf("status %d, want %d", got, status)
		}
	case <-time.After(most):
		t.Fatalf("it hasn't ended after %v", most)
	}
}

// qemuOf finds the QEMU of a lab: in the PID namespace of its worker.
func qemuOf(t *testing.T, supervisor int) int {
	t.Helper()
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", supervisor))
	if err != nil {
		t.Fatal(err)
	}
	spaces := make(map[string]bool)
	for _, f := range strings.Fields(string(children)) {
		n, _ := strconv.Atoi(f)
		spaces[pidNamespace(n)] = true
	}
	delete(spaces, pidNamespace(os.Getpid())) // the watcher's, and any QEMU of the machine's
	stats, _ := filepath.Glob("/proc/[0-9]*/comm")
	for _, name := range stats {
		b, _ := os.ReadFile(name)
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if strings.HasPrefix(string(b), "qemu-system") && spaces[pidNamespace(pid)] {
			return pid
		}
	}
	t.Fatal("no QEMU")
	return 0
}
