package own

import (
	"os/exec"
	"path/filepath"
	"testing"

	"lab/bench/benchtest"
)

func TestMain(m *testing.M) { benchtest.Main(m) }

func TestOwn(t *testing.T) {
	benchtest.Testbed(t)
	lab := filepath.Join(t.TempDir(), "lab")
	if out, err := exec.Command("go", "build", "-ldflags", "-E lab/cmd/cli.entry", "-o", lab, "lab/cmd/start").CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: the lab can't be built here: %v: %s; fix: make generate", err, out)
	}
	benchtest.Run(t, New(lab), benchtest.Options{Lacks: map[benchtest.Feature]string{
		benchtest.Environ:    "lab exec adds PATH and HOME",
		benchtest.ParentsFDs: "its standard error is the lab's pipe",
		benchtest.Exec:       "lab exec has no way into a container of another lab's",
		benchtest.Ports:      "no address of its own",
	}})
}
