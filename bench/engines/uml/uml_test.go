package uml

import (
	"os/exec"
	"testing"

	"lab/bench/benchtest"
)

func TestMain(m *testing.M) { benchtest.Main(m) }

func TestUML(t *testing.T) {
	if _, err := exec.LookPath("linux.uml"); err != nil {
		t.Skipf("SKIPPED: %v; fix: apt-get install user-mode-linux", err)
	}
	benchtest.Run(t, New(), benchtest.Options{Slow: true, Lacks: map[benchtest.Feature]string{
		benchtest.ParentsFDs: "the workload is no process of this machine's",
		benchtest.Ports:      "it has no network",
		benchtest.Meter:      "its RAM is one file, which its kernel and its processes share",
	}})
}
