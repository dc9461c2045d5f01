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
	if narrow() {
		t.Skip("SKIPPED: this linux.uml can't run on a processor with AMX; fix: one of Linux 6.13 or later")
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

// Only a kernel that is known to be too old is refused.
func TestOld(t *testing.T) {
	for version, want := range map[string]bool{"6.1.176\n": true, "5.10": true, "6.12.9": true, "6.13.0-rc1": false, "7.0": false, "": false, "x": false} {
		if old(version) != want {
			t.Errorf("%q: %v", version, !want)
		}
	}
	for info, want := range map[string]bool{"flags\t\t: fpu amx_bf16 amx_tile amx_int8\n": true, "flags : fpu avx512f\n": false, "model name\t: amx_tile\n": false} {
		if tiles.MatchString(info) != want {
			t.Errorf("%q: %v", info, !want)
		}
	}
}
