package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/image"
	"lab/bench/launch"
	"lab/cmd/cli"
)

// pumped are the environments of lab exec whose command gets pipes of its own.
var pumped = []string{"chroot", "container"}

// runLab runs lab to its end, within a minute, and returns its exit status.
func runLab(t *testing.T, stdin, stdout, stderr *os.File, args ...string) int {
	t.Helper()
	cmd := exec.Command(command(t), args...)
	// Files as they are, without copying in between.
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(time.Minute, func() {
		t.Errorf("lab %s: doesn't end", strings.Join(args, " "))
		cmd.Process.Kill()
	})
	defer late.Stop()
	cmd.Wait()
	if cmd.ProcessState.Sys().(syscall.WaitStatus).Signaled() {
		return -1
	}
	return cmd.ProcessState.ExitCode()
}

func openFile(t *testing.T, name string, flags int) *os.File {
	t.Helper()
	if name != "/" {
		flags |= os.O_CREATE
	}
	f, err := os.OpenFile(name, flags, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// TestDescriptors looks from outside at what a command has open: never what the
// lab's caller has, whatever kind of file that is.
func TestDescriptors(t *testing.T) {
	needs(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	defer r.Close()
	null := openFile(t, os.DevNull, os.O_RDWR)
	dir := t.TempDir()
	file, log := openFile(t, filepath.Join(dir, "in"), os.O_RDONLY), openFile(t, filepath.Join(dir, "log"), os.O_RDWR|os.O_APPEND)
	for _, env := range pumped {
		for name, std := range map[string][3]*os.File{
			"files": {file, log, log}, "pipes": {r, w, w}, "null": {null, null, null}, "mixed": {null, log, w},
		} {
			cmd := exec.Command(command(t), "exec", env, "--", "sleep", "1000")
			cmd.Stdin, cmd.Stdout, cmd.Stderr = std[0], std[1], std[2]
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			pid := 0
			for end := time.Now().Add(30 * time.Second); pid == 0 && time.Now().Before(end); time.Sleep(time.Millisecond) {
				pid = childOf(cmd.Process.Pid, func(line string) bool { return strings.HasPrefix(line, "sleep\x00") })
			}
			for fd := range 3 {
				st, err := os.Stat(fmt.Sprintf("/proc/%d/fd/%d", pid, fd))
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range []*os.File{file, log, r, w, null} {
					if theirs, err := f.Stat(); err != nil || os.SameFile(st, theirs) {
						t.Errorf("%s, %s: descriptor %d is the caller's %s (%v)", env, name, fd, f.Name(), err)
					}
				}
				if isNull := std[fd] == null; isNull != (st.Mode()&os.ModeCharDevice != 0) {
					t.Errorf("%s, %s: descriptor %d is %v", env, name, fd, st.Mode())
				}
			}
			syscall.Kill(pid, syscall.SIGKILL)
			cmd.Wait()
		}
	}
}

// TestContainersNull: what is the null device outside is the container's own
// inside.
func TestContainersNull(t *testing.T) {
	needs(t)
	null := openFile(t, os.DevNull, os.O_RDWR)
	const script = `for n in 0 1 2; do [ "$(stat -L -c %d:%i /proc/self/fd/$n)" = "$(stat -L -c %d:%i /dev/null)" ] && [ $(readlink /proc/self/fd/$n) = /dev/null ] || exit 9; done`
	if code := runLab(t, null, null, null, "exec", "container", "--", "sh", "-c", strings.ReplaceAll(script, "/self/", "/$$/")); code != 0 {
		t.Errorf("status %d", code)
	}
}

// TestDescriptorsTouched tries what a hostile program would: to write to its
// input, and to make it everybody's.
func TestDescriptorsTouched(t *testing.T) {
	needs(t)
	const script = `for n in 0 1 2; do echo SPOILT >/proc/self/fd/$n; chmod 777 /proc/self/fd/$n; chown 1:1 /proc/self/fd/$n; done`
	dir := t.TempDir()
	in, log := openFile(t, filepath.Join(dir, "in"), os.O_RDONLY), openFile(t, filepath.Join(dir, "log"), os.O_WRONLY|os.O_APPEND)
	if err := os.WriteFile(in.Name(), []byte("input\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(log.Name(), []byte("earlier\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	null := openFile(t, os.DevNull, os.O_RDWR)
	for _, more := range [][]string{nil, {"--variant", "user=yes"}, {"-u", "1"}} {
		args := append(append([]string{"exec", "container"}, more...), "--", "sh", "-c", script)
		runLab(t, in, log, null, args...)
	}
	if b, _ := os.ReadFile(in.Name()); string(b) != "input\n" {
		t.Errorf("the input is now %q", b)
	}
	if b, _ := os.ReadFile(log.Name()); !strings.HasPrefix(string(b), "earlier\n") {
		t.Errorf("the log is now %q", b)
	}
	for _, f := range []*os.File{in, log, null} {
		st, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		if sys := st.Sys().(*syscall.Stat_t); sys.Uid != 0 || sys.Gid != 0 || st.Mode().Perm() == 0o777 {
			t.Errorf("%s belongs to %d:%d, with %v", f.Name(), sys.Uid, sys.Gid, st.Mode())
		}
	}
	for _, env := range pumped {
		root := openFile(t, "/", os.O_RDONLY)
		errs := openFile(t, filepath.Join(dir, "errs"), os.O_RDWR|os.O_TRUNC)
		code := runLab(t, root, null, errs, "exec", env, "--", "true")
		if said, _ := os.ReadFile(errs.Name()); code != cli.StatusLab || !strings.Contains(string(said), "standard input is a folder") {
			t.Errorf("%s with a folder as input: status %d, %q", env, code, said)
		}
	}
}

// TestOutputWhole: what a program wrote is there when the lab has ended, in its
// order, and a program in the background holds nothing up.
func TestOutputWhole(t *testing.T) {
	needs(t)
	// A shell's background job reads /dev/null, and a chroot has no devices.
	img, err := image.MakeDefault(t.TempDir(), 0, 0, image.Entry{Name: "dev/null", Mode: 0o644})
	if err != nil {
		t.Fatal(err)
	}
	for _, env := range pumped {
		for _, c := range []struct {
			name, script string
			check        func(out string) bool
		}{
			{"much", "i=0; while [ $i -lt 30000 ]; do echo line $i; i=$((i+1)); done", func(out string) bool {
				return strings.Count(out, "\n") == 30000 && strings.HasSuffix(out, "line 29999\n")
			}},
			{"both", "echo 1; echo 2 >&2; echo 3; echo 4 >&2; exit 0", func(out string) bool { return out == "1\n2\n3\n4\n" }},
			{"background", "setsid sleep 1000 & echo said", func(out string) bool { return out == "said\n" }},
			{"no end", "setsid sh -c 'trap \"\" HUP; while :; do echo y; done' & sleep 0.1; echo said", func(out string) bool {
				return strings.Contains(out, "said\n")
			}},
		} {
			out := openFile(t, filepath.Join(t.TempDir(), "out"), os.O_RDWR)
			began := time.Now()
			code := runLab(t, openFile(t, os.DevNull, os.O_RDONLY), out, out, "exec", env, "--image", img.Dir, "--pids", "100", "--", "sh", "-c", c.script)
			text, err := os.ReadFile(out.Name())
			if err != nil || code != 0 || !c.check(string(text)) || time.Since(began) > 30*time.Second {
				t.Errorf("%s, %s: status %d after %v, %d bytes of output, ends in %q (%v)", env, c.name, code, time.Since(began), len(text), text[max(0, len(text)-100):], err)
			}
		}
	}
}

// TestOutputLost: a reader that went away ends a program as it ends any, and
// bytes that nobody could take aren't passed over.
func TestOutputLost(t *testing.T) {
	needs(t)
	null := openFile(t, os.DevNull, os.O_RDWR)
	for _, env := range pumped {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
		// A container's first process isn't killed by the signal: its echo fails.
		for _, script := range []string{"while echo y; do :; done; exit 141", "echo y"} {
			if code := runLab(t, null, w, null, "exec", env, "--", "sh", "-c", script); code != 128+int(syscall.SIGPIPE) {
				t.Errorf("%s, %s with nobody to read: status %d, want 141", env, script, code)
			}
		}
		w.Close()
		errs := openFile(t, filepath.Join(t.TempDir(), "errs"), os.O_RDWR)
		code := runLab(t, null, openFile(t, "/dev/full", os.O_WRONLY), errs, "exec", env, "--", "echo", "y")
		if said, _ := os.ReadFile(errs.Name()); code != cli.StatusLab || !bytes.Contains(said, []byte("standard output: ")) {
			t.Errorf("%s on a full device: status %d, %q", env, code, said)
		}
	}
}

// TestInputLeft: what a program doesn't read of a file is left to who comes next,
// such as the loop that its command stands in.
func TestInputLeft(t *testing.T) {
	needs(t)
	null := openFile(t, os.DevNull, os.O_RDWR)
	for _, env := range pumped {
		in := openFile(t, filepath.Join(t.TempDir(), "in"), os.O_RDWR)
		if err := os.WriteFile(in.Name(), bytes.Repeat([]byte("0123456789\n"), 1<<16), 0o600); err != nil {
			t.Fatal(err)
		}
		for i, c := range []struct {
			argv []string
			at   int64
		}{{[]string{"true"}, 0}, {[]string{"dd", "bs=11", "count=3"}, 33}, {[]string{"cat"}, 11 << 16}} {
			runLab(t, in, null, null, append([]string{"exec", env, "--"}, c.argv...)...)
			if at, err := in.Seek(0, io.SeekCurrent); err != nil || at != c.at {
				t.Errorf("%s, after command %d (%q): at %d of the input, want %d (%v)", env, i, c.argv, at, c.at, err)
			}
		}
	}
}

// TestTerminalEnds: a shell on a terminal of its own ends with its input,
// whenever that comes.
func TestTerminalEnds(t *testing.T) {
	needs(t)
	null := openFile(t, os.DevNull, os.O_RDWR)
	for _, env := range append(pumped, "host") {
		if code := runLab(t, null, null, null, "exec", env, "-it", "--", "busybox", "sh"); code != 0 {
			t.Errorf("%s: a shell without input: status %d", env, code)
		}
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(w, "exit 3")
		time.AfterFunc(200*time.Millisecond, func() { fmt.Fprintln(w); w.Close() })
		if code := runLab(t, r, null, null, "exec", env, "-it", "--", "busybox", "sh"); code != 3 {
			t.Errorf("%s: a shell at a pipe: status %d, want 3", env, code)
		}
		r.Close()
	}
}

// terminal makes one.
func terminal(t *testing.T) (master, tty *os.File) {
	t.Helper()
	master, tty, err := launch.OpenTerminal(unix.AT_FDCWD, "/dev/ptmx")
	if err != nil {
		t.Skip("SKIPPED: no terminals here: ", err)
	}
	t.Cleanup(func() { master.Close(); tty.Close() })
	return master, tty
}

// TestNoTerminal: without -t the caller's terminal isn't handed in.
func TestNoTerminal(t *testing.T) {
	needs(t)
	master, tty := terminal(t)
	for _, env := range pumped {
		fmt.Fprintln(master, "typed")
		if code := runLab(t, tty, tty, tty, "exec", env, "--", "sh", "-c", `[ -t 0 ] || [ -t 1 ] || [ -t 2 ] && exit 9; read x; [ "$x" = typed ] && exit 5`); code != 5 {
			t.Errorf("%s: status %d, want 5", env, code)
		}
	}
}

// TestTerminalBackground: as a shell's background job the lab goes on, though
// what is typed there isn't for its command.
func TestTerminalBackground(t *testing.T) {
	needs(t)
	master, tty := terminal(t)
	for _, env := range pumped {
		cmd := exec.Command("bash", "-c", `set -m; "$0" exec `+env+` -- sh -c 'sleep 0.5; exit 4' & wait $!; echo status $? >&2`, command(t))
		var errs bytes.Buffer
		cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, &errs
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
		cmd.WaitDelay = time.Second
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(master, "typed")
		late := time.AfterFunc(20*time.Second, func() { unix.Kill(-cmd.Process.Pid, unix.SIGKILL) })
		cmd.Wait()
		late.Stop()
		if !strings.Contains(errs.String(), "status 4\n") {
			t.Errorf("%s: %q", env, errs.String())
		}
	}
}
