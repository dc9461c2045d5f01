package oci

import (
	"errors"
	"os/exec"
	"testing"

	"lab/bench/benchtest"
	"lab/bench/foreign"
)

func TestMain(m *testing.M) { benchtest.Main(m) }

// lacks are what runtimes don't do, whichever.
func lacks(more map[benchtest.Feature]string) map[benchtest.Feature]string {
	out := map[benchtest.Feature]string{
		benchtest.Ports:   "not net=bridge: no address of its own",
		benchtest.Environ: "runtimes add HOME",
	}
	for f, why := range more {
		out[f] = why
	}
	return out
}

func TestRuntimes(t *testing.T) {
	for _, x := range []struct {
		name     string
		env      func() *foreign.Env
		settings map[string]string
		lacks    map[benchtest.Feature]string
	}{
		{"crun", Crun, nil, map[benchtest.Feature]string{
			benchtest.ParentsFDs: "crun 1.8 starts the workload with signals blocked; its standard error is the lab's pipe"}},
		{"runc", Runc, nil, map[benchtest.Feature]string{
			benchtest.ParentsFDs: "runc gives the workload pipes, and copies"}},
		{"crun, bridge", Crun, map[string]string{"net": "bridge", "seccomp": "none"}, map[benchtest.Feature]string{
			benchtest.ParentsFDs: "as above"}},
		{"runc, host", Runc, map[string]string{"net": "host"}, map[benchtest.Feature]string{
			benchtest.ParentsFDs: "as above"}},
		{"runsc", Runsc, nil, map[benchtest.Feature]string{
			benchtest.ParentsFDs: "the workload is no process of this machine's",
			benchtest.Signals:    "a signal ends runsc itself",
			benchtest.Pids:       "Check says so",
			benchtest.Meter:      "the sandbox's memory is one file, whatever the workload has it for"}},
	} {
		t.Run(x.name, func(t *testing.T) {
			env := x.env()
			if _, err := exec.LookPath(env.Name()); errors.Is(err, exec.ErrNotFound) {
				t.Skipf("SKIPPED: %v; fix: apt-get install %s", err, env.Name())
			}
			l := lacks(x.lacks)
			if x.settings["net"] == "bridge" {
				delete(l, benchtest.Ports)
			}
			benchtest.Run(t, env, benchtest.Options{Settings: x.settings, Lacks: l})
		})
	}
}
