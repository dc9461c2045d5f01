package nspawn

import (
	"os/exec"
	"testing"

	"lab/bench/benchtest"
)

func TestMain(m *testing.M) { benchtest.Main(m) }

func TestNspawn(t *testing.T) {
	if _, err := exec.LookPath("systemd-nspawn"); err != nil {
		t.Skipf("SKIPPED: %v; fix: apt-get install systemd-container", err)
	}
	benchtest.Run(t, New(), benchtest.Options{Lacks: map[benchtest.Feature]string{
		benchtest.Environ:    "it sets variables of its own",
		benchtest.ParentsFDs: "its standard error is the lab's pipe",
		benchtest.Users:      "it takes a user by its name in the image",
		benchtest.Exec:       "it has no way in without a running systemd",
		benchtest.Ports:      "no address of its own",
		benchtest.Meter:      "its cgroup holds systemd-nspawn, too, with some megabytes",
	}})
}
