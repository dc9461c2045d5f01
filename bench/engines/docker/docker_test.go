package docker

import (
	"os/exec"
	"testing"

	"lab/bench/benchtest"
)

func TestMain(m *testing.M) { benchtest.Main(m) }

func lacks(t *testing.T, net string) map[benchtest.Feature]string {
	if _, err := exec.LookPath("dockerd"); err != nil {
		t.Skipf("SKIPPED: %v; fix: apt-get install docker.io", err)
	}
	out := map[benchtest.Feature]string{
		benchtest.Environ:    "the engine adds PATH, HOSTNAME and HOME",
		benchtest.ParentsFDs: "the workload is a shim's child",
		benchtest.Exec:       "a further command is docker exec, which isn't wired",
	}
	if net != "bridge" {
		out[benchtest.Ports] = "no address of its own"
	}
	return out
}

func TestDocker(t *testing.T) {
	for _, net := range []string{"none", "bridge", "host"} {
		t.Run(net, func(t *testing.T) {
			benchtest.Run(t, New(), benchtest.Options{Settings: map[string]string{"net": net}, Lacks: lacks(t, net)})
		})
	}
}
