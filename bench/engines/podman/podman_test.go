package podman

import (
	"os"
	"os/exec"
	"testing"

	"lab/bench/benchtest"
)

func TestMain(m *testing.M) { benchtest.Main(m) }

// suite runs the conformance suite, or parts of it.
func suite(t *testing.T, settings map[string]string, parts ...string) {
	for _, name := range []string{"podman", "conmon", "crun", "runc"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("SKIPPED: %v; fix: apt-get install podman crun runc", err)
		}
	}
	lacks := map[benchtest.Feature]string{
		benchtest.Environ:    "podman adds PATH, HOSTNAME, HOME, TERM and container",
		benchtest.ParentsFDs: "the workload is conmon's child",
	}
	if settings["net"] != "bridge" {
		lacks[benchtest.Ports] = "no address of its own"
	}
	benchtest.Run(t, New(), benchtest.Options{Settings: settings, Lacks: lacks, Parts: parts, Slow: parts != nil})
}

// The parts that are podman's most of all.
func TestPodman(t *testing.T) {
	suite(t, map[string]string{"net": "bridge"}, "Names", "Ready", "Status", "Stdout", "Stderr", "Stdin", "User", "NotFound",
		"Signals", "Memory", "Pids", "Cancel", "Order", "Many", "Background", "Exec", "Ports", "Image", "Prepare")
}

// All parts, in all networks, and with another runtime.
func TestPodmanWhole(t *testing.T) {
	if os.Getenv("LAB_LONG") == "" {
		t.Skip("SKIPPED: takes 2 minutes; fix: LAB_LONG=1")
	}
	for _, net := range []string{"none", "bridge", "host"} {
		t.Run(net, func(t *testing.T) { suite(t, map[string]string{"net": net}) })
	}
	t.Run("runc", func(t *testing.T) { suite(t, map[string]string{"runtime": "runc"}) })
}
