package lxc

import (
	"os/exec"
	"testing"

	"lab/bench/benchtest"
)

func TestMain(m *testing.M) { benchtest.Main(m) }

func TestLXC(t *testing.T) {
	if _, err := exec.LookPath("lxc-execute"); err != nil {
		t.Skipf("SKIPPED: %v; fix: apt-get install lxc", err)
	}
	lacks := map[benchtest.Feature]string{
		benchtest.Environ:    "it sets container=lxc",
		benchtest.ParentsFDs: "its standard error is the lab's pipe",
		benchtest.Exec:       "a further command is lxc-attach's, which isn't wired",
		benchtest.Ports:      "no address of its own",
	}
	t.Run("none", func(t *testing.T) { benchtest.Run(t, New(), benchtest.Options{Lacks: lacks}) })
	t.Run("host", func(t *testing.T) {
		benchtest.Run(t, New(), benchtest.Options{Settings: map[string]string{"net": "host"}, Lacks: lacks, Parts: []string{"Status", "Close"}})
	})
	delete(lacks, benchtest.Ports)
	t.Run("bridge", func(t *testing.T) {
		benchtest.Run(t, New(), benchtest.Options{Settings: map[string]string{"net": "bridge"}, Lacks: lacks, Parts: []string{"Status", "Ports", "Nothing left"}})
	})
}
