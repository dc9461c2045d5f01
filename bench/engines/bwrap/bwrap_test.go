package bwrap

import (
	"os/exec"
	"testing"

	"lab/bench/benchtest"
)

func TestMain(m *testing.M) { benchtest.Main(m) }

func TestBwrap(t *testing.T) {
	if _, err := exec.LookPath("bwrap"); err != nil {
		t.Skipf("SKIPPED: %v; fix: apt-get install bubblewrap", err)
	}
	for name, net := range map[string]string{"none": "none", "bridge": "bridge", "host": "host"} {
		t.Run(name, func(t *testing.T) {
			lacks := map[benchtest.Feature]string{
				benchtest.Environ:    "it sets PWD",
				benchtest.ParentsFDs: "its standard error is the lab's pipe",
				benchtest.Users:      "it changes the user only with a user namespace",
				benchtest.Exec:       "it has no way in once the sandbox is there",
			}
			if net != "bridge" {
				lacks[benchtest.Ports] = "no address of its own"
			}
			benchtest.Run(t, New(), benchtest.Options{Settings: map[string]string{"net": net}, Lacks: lacks})
		})
	}
}
