package uml

import (
	"os"
	"os/exec"
	"testing"

	"lab/bench/benchtest"
)

func TestMain(m *testing.M) { benchtest.Main(m) }

func TestUML(t *testing.T) {
	if _, err := exec.LookPath("linux.uml"); err != nil {
		t.Skipf("SKIPPED: %v; fix: apt-get install user-mode-linux", err)
	}
	var parts []string
	if os.Getenv("LAB_LONG") == "" {
		t.Log("SKIPPED: the other parts take two minutes; fix: LAB_LONG=1")
		parts = []string{"Stderr", "Exec"}
	}
	benchtest.Run(t, New(), benchtest.Options{Slow: true, Parts: parts, Lacks: map[benchtest.Feature]string{
		benchtest.ParentsFDs: "the workload is no process of this machine's",
		benchtest.Ports:      "it has no network",
		benchtest.Meter:      "its RAM is one file, which its kernel and its processes share",
	}})
}
