package probe

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func initProgram(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "init")
	if err := os.WriteFile(name, Init(), 0o755); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestInit(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip(err)
	}
	for _, c := range []struct {
		args   []string
		out    string
		status int
	}{
		{[]string{sh, "-c", "echo $0 $1 $X; exit 7", "a", "b c"}, "a b c y\n", 7},
		{[]string{sh, "-c", "exit 0"}, "", 0},
		{[]string{sh, "-c", "kill -9 $$"}, "", 128 + 9},
		{[]string{sh, "-c", "kill -TERM $$"}, "", 128 + 15},
		{[]string{"/nonexistent"}, "", 127},
		{[]string{"/etc"}, "", 126},
		// Orphans that end first don't end it.
		{[]string{sh, "-c", "(sh -c 'true &' &); sleep 0.05; echo last; exit 3"}, "last\n", 3},
		// Blocked signals would be inherited.
		{[]string{sh, "-c", "grep SigBlk /proc/self/status"}, "SigBlk:\t0000000000000000\n", 0},
	} {
		cmd := exec.Command(initProgram(t), c.args...)
		cmd.Env = []string{"X=y", "PATH=/bin:/usr/bin"}
		out, err := cmd.Output()
		status := cmd.ProcessState.ExitCode()
		var ee *exec.ExitError
		if err != nil && !errors.As(err, &ee) {
			t.Fatal(err)
		}
		if string(out) != c.out || status != c.status {
			t.Errorf("%q: %q, status %d; want %q, %d", c.args, out, status, c.out, c.status)
		}
	}
}

func TestInitPassesSignalsOn(t *testing.T) {
	cmd := exec.Command(initProgram(t), "/bin/sh", "-c", "trap 'echo got; exit 5' USR1; echo ready; while :; do sleep 0.01; done")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 64)
	n, err := out.Read(buf)
	if err != nil || !strings.HasPrefix(string(buf[:n]), "ready") {
		t.Fatalf("%q, %v", buf[:n], err)
	}
	if err := cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	n, _ = out.Read(buf)
	cmd.Wait()
	if string(buf[:n]) != "got\n" || cmd.ProcessState.ExitCode() != 5 {
		t.Errorf("%q, %v", buf[:n], cmd.ProcessState)
	}
}
