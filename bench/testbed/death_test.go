package testbed

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"lab/bench/cgroup"
)

// What ended a worker is said by name: here one that the kernel killed for want of
// memory, and one that was merely killed.
func TestDeath(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: it needs root: sudo make test")
	}
	tb, err := Local(t.TempDir(), &cgroup.Options{Controllers: true})
	if err != nil {
		t.Fatal(err)
	}
	defer tb.Close()
	if tb.Cgroups == nil || tb.Cgroups.Lacks(cgroup.Limits{Memory: 1}) != "" {
		t.Skip("SKIPPED: nothing limits memory here: mount -t cgroup2 none /sys/fs/cgroup")
	}
	g, err := tb.Cgroups.New(cgroup.Limits{Memory: 16 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Remove()
	worker := func(script string) error {
		cmd := exec.Command("/bin/sh", append([]string{"-c", script, "sh"}, g.Dirs()...)...)
		folder, err := newFolder()
		if err != nil {
			t.Fatal(err)
		}
		w := &Worker{cmd: cmd, folder: folder, kills: oomKills()}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return w.Wait()
	}
	err = worker(`for d; do echo $$ >$d/cgroup.procs; done; s=0123456789; while :; do s=$s$s; done`)
	if err == nil || !strings.Contains(err.Error(), "for want of memory") || !strings.Contains(err.Error(), "cure: ") {
		t.Errorf("killed for memory: %v", err)
	}
	if err := death(syscall.SIGKILL, false); !strings.Contains(err.Error(), "another process killed it") {
		t.Errorf("killed: %v", err)
	}
	if err := worker(`ulimit -f 1; exec head -c 100000 /dev/zero >` + filepath.Join(t.TempDir(), "x")); err == nil || !strings.Contains(err.Error(), "ulimit -f") {
		t.Errorf("a file too large: %v", err)
	}
	if err := worker("exit 3"); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("exit status 3: %v", err)
	}
}
