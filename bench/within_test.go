package bench

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// A process of ours runs within what we do; one with a namespace and a limit of its own
// doesn't.
func TestWithin(t *testing.T) {
	same, err := Within(os.Getpid(), os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for k, want := range map[string]string{"kernel": "the host's", "namespaces": "none", "cgroup": "the lab's", "limits": "none"} {
		if same[k] != want {
			t.Errorf("%s: %s, want %s", k, same[k], want)
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root; fix: sudo make test")
	}
	cmd := exec.Command("sh", "-c", "ulimit -n 77; echo; exec sleep 60")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUTS | syscall.CLONE_NEWNET}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	out.Read(make([]byte, 1))
	other, err := Within(cmd.Process.Pid, os.Getpid())
	if err != nil || other["namespaces"] != "net, uts" || !strings.Contains(other["limits"], "open files 77") || other["network"] != "lo" {
		t.Errorf("%v, %v", other, err)
	}
}
