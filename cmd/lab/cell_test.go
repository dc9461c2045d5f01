package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"lab/bench/cgroup"
	"lab/bench/cgroup/systemd"
	"lab/bench/results"
	"lab/bench/stats"
	"lab/cmd/cli"
)

// cell makes a cgroup with limits around commands, as somebody's job scheduler does,
// and returns what runs one in it. There lab is this program.
func cell(t *testing.T, limits cgroup.Limits) func(args ...string) *exec.Cmd {
	t.Helper()
	l, err := cgroup.Read()
	if err != nil {
		t.Fatal(err)
	}
	tree, err := l.Create(fmt.Sprintf("cell-%d-%d", os.Getpid(), time.Now().UnixNano()), cgroup.Options{Controllers: true, Scope: systemd.Scope}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tree.Remove(); err != nil {
			t.Error(err)
		}
	})
	g, err := tree.New(limits)
	if errors.Is(err, cgroup.ErrNoController) {
		t.Skip("SKIPPED: ", err, "; fix: a machine that limits processors and memory")
	}
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(self, filepath.Join(bin, "lab")); err != nil {
		t.Fatal(err)
	}
	dirs := g.Dirs()
	return func(args ...string) *exec.Cmd {
		script := fmt.Sprintf(`n=%d; while [ $n -gt 0 ]; do echo $$ >"$1/cgroup.procs" || exit 99; shift; n=$((n-1)); done; exec "$@"`, len(dirs))
		cmd := exec.Command("/bin/sh", slices.Concat([]string{"-c", script, "sh"}, dirs, args)...)
		cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
		return cmd
	}
}

// local are the environments whose programs are the machine's own processes.
var local = []string{"host", "chroot", "container"}

// A CPU quota around the lab slows all environments alike. Before, a container's
// cgroup stood at the top of its hierarchy, and the quota didn't hold there.
func TestCellQuota(t *testing.T) {
	needs(t)
	const quota = 0.2
	run := cell(t, cgroup.Limits{CPU: quota})
	took := map[string]time.Duration{}
	// A namespace with its maker's mounts shows no path that leads to the cell.
	const inNamespace = "container in a cgroup namespace"
	// Some 0.15 s of processor time; the least of a few, as others run here, too.
	alike := func() (wrong []string) {
		for _, env := range append(slices.Clone(local), inNamespace) {
			in := []string{"lab", "exec", env}
			if env == inNamespace {
				in = []string{"unshare", "-C", "lab", "exec", "container"}
			}
			cmd := run(append(in, "--", "sh", "-c", "i=0; while [ $i -lt 150000 ]; do i=$((i+1)); done")...)
			began := time.Now()
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s", env, err, out)
			}
			wall := time.Since(began)
			if used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(); wall < time.Duration(float64(used)/quota*0.7) {
				t.Errorf("%s used %v of a processor in %v: more than a quota of %v", env, used, wall, quota)
			}
			if took[env] == 0 || wall < took[env] {
				took[env] = wall
			}
		}
		for env := range took {
			if r := float64(took[env]) / float64(took["host"]); r < 0.5 || r > 2 {
				wrong = append(wrong, fmt.Sprintf("under a quota %s takes %.2f × host's time, which without one is 1", env, r))
			}
		}
		return wrong
	}
	wrong := alike()
	for range 5 {
		if len(wrong) == 0 {
			break
		}
		wrong = alike()
	}
	for _, w := range wrong {
		t.Error(w)
	}
}

// So does a limit of memory, and a set of processors.
func TestCellMemoryAndSet(t *testing.T) {
	needs(t)
	last := fmt.Sprint(runtime.NumCPU() - 1)
	run := cell(t, cgroup.Limits{Memory: 64 << 20, CPUSet: last})
	for _, env := range local {
		out, err := run("lab", "exec", env, "--", "sh", "-c", "while read a b; do case $a in Cpus_allowed_list:) echo $b; esac; done </proc/$$/status").CombinedOutput()
		if env != "chroot" && (err != nil || strings.TrimSpace(string(out)) != last) { // whose /proc is empty
			t.Errorf("%s may run on %q (%v), want %s", env, out, err, last)
		}
		out, err = run("lab", "exec", env, "--", "sh", "-c", "s=0123456789; while :; do s=$s$s; done").CombinedOutput()
		var exit *exec.ExitError
		// The kernel kills the largest: the payload, whose end is the lab's status.
		if !errors.As(err, &exit) || exit.ExitCode() != 137 {
			t.Errorf("%s fills its memory below a limit of 64 MiB: %v, want exit status 137\n%s", env, err, out)
		}
	}
}

// A run says what bound it: in machine.json, in the report, at each trial that was
// stopped by it; and its ratio is the one without.
func TestCellRun(t *testing.T) {
	needs(t)
	run := cell(t, cgroup.Limits{CPU: 0.05, Memory: 1 << 30, Pids: 400})
	dir := filepath.Join(t.TempDir(), "r")
	cmd := run("lab", "run", "startup", "--env", "host,container", "-r", "12", "--out", dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("lab run: %v\n%s", err, out)
	}
	r, err := results.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, b := range r.Machine.Limits {
		if b.Above <= 1 && got[b.What] == 0 {
			got[b.What] = b.Value
		}
	}
	if got["cpu"] != 0.05 || got["memory"] != 1<<30 || got["pids"] != 400 {
		t.Errorf("machine.json has the limits %+v", r.Machine.Limits)
	}
	throttled := 0
	for _, l := range r.Lines {
		if slices.Contains(l.Taint, "throttled") {
			throttled++
		}
	}
	if throttled == 0 {
		t.Error("no trial is marked, though a twentieth of a processor was all there was")
	}
	text, err := os.ReadFile(filepath.Join(dir, "report.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Limits around the lab bound every row alike", "cpu 5 % of a processor", "memory 1024 MiB", "pids 400"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the report doesn't say %q", want)
		}
	}
	out, err := run("lab", "doctor", "--json").Output()
	var checks struct {
		Checks []struct{ Name, Result, Detail string }
	}
	if json.Unmarshal(out, &checks) != nil {
		t.Fatalf("doctor: %v\n%s", err, out)
	}
	for _, c := range checks.Checks {
		if c.Name == "limits" && (c.Result != "warn" || !strings.Contains(c.Detail, "cpu 5 %")) || c.Name == "memory" && !strings.Contains(c.Detail, "of the 1024 MiB that the limit of ") {
			t.Errorf("doctor says of %s: %s, %s", c.Name, c.Result, c.Detail)
		}
	}
}

// A limit below what the lab itself needs is one sentence, before anything is made.
func TestCellTight(t *testing.T) {
	needs(t)
	for _, x := range []struct {
		limits cgroup.Limits
		want   string
	}{
		{cgroup.Limits{Memory: 20 << 20}, "allows 20 MiB of memory, and the lab needs 32 MiB; fix: "},
		{cgroup.Limits{Pids: 40}, "allows 40 processes and threads, of which "},
	} {
		cmd := cell(t, x.limits)("lab", "run", "startup", "--env", "host", "--out", filepath.Join(t.TempDir(), "r"))
		out, _ := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != cli.StatusNothing || !strings.Contains(string(out), x.want) || strings.Count(string(out), "\n") != 1 {
			t.Errorf("%+v: exit status %d, %q; want %d with %q", x.limits, code, out, cli.StatusNothing, x.want)
		}
	}
}

// So is one below what an engine needs that is started for a run.
func TestCellTightForDocker(t *testing.T) {
	needs(t)
	if _, err := exec.LookPath("dockerd"); err != nil {
		t.Skip("SKIPPED: ", err, "; fix: apt-get install docker.io")
	}
	out, err := cell(t, cgroup.Limits{Memory: 60 << 20})("lab", "exec", "docker", "--", "true").CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != cli.StatusLab || !strings.Contains(string(out), "need 128 MiB, and the cgroup ") || !strings.Contains(string(out), "; fix: ") {
		t.Errorf("docker in 60 MiB: %v, %q", err, out)
	}
}

// Limits around the lab leave the ratios between environments as they are without,
// virtual machines included.
func TestCellRatios(t *testing.T) {
	needs(t)
	if os.Getenv("LAB_LONG") == "" {
		t.Skip("SKIPPED: takes 4 minutes; fix: LAB_LONG=1")
	}
	envs := append(slices.Clone(local), "vm")
	ratios := func(limits cgroup.Limits) map[string]stats.Interval {
		dir := filepath.Join(t.TempDir(), "r")
		if out, err := cell(t, limits)("lab", "run", "command", "--env", strings.Join(envs, ","), "-r", "6", "-w", "1", "--seed", "7", "--out", dir,
			"--", "/bin/sh", "-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done").CombinedOutput(); err != nil {
			t.Fatalf("lab run: %v\n%s", err, out)
		}
		r, err := results.Read(dir)
		if err != nil {
			t.Fatal(err)
		}
		took := map[string][]float64{}
		for _, l := range r.Lines {
			if l.Metric == "time" && l.PartOf == "" && !l.Warmup && l.Value != nil {
				took[l.Env] = append(took[l.Env], *l.Value)
			}
		}
		out := map[string]stats.Interval{}
		for _, env := range envs[1:] {
			c, err := stats.Compare(took[env], took["host"], 1)
			if err != nil {
				t.Fatalf("%s: %v: %v", env, err, took)
			}
			out[env] = *c.Ratio
			t.Logf("%s takes %.3g × host's time (%.3g to %.3g)", env, c.Ratio.Point, c.Ratio.Lo, c.Ratio.Hi)
		}
		return out
	}
	free := ratios(cgroup.Limits{Pids: 1000})
	for env, r := range ratios(cgroup.Limits{CPU: 0.5, CPUSet: "0", Memory: 1 << 30}) {
		if f := free[env]; r.Lo > f.Hi || r.Hi < f.Lo {
			t.Errorf("under a quota, on one processor and with a limit of memory %s takes %+v × host's time; without %+v", env, r, f)
		}
	}
}

// A controller whose folder is covered, or can't be written, is missing where a limit
// needs it, and nowhere else.
func TestCellCovered(t *testing.T) {
	needs(t)
	l, err := cgroup.Read()
	if err != nil || l.V1["memory"] == "" {
		t.Skip("SKIPPED: no memory controller of cgroup v1 to cover; fix: a machine that has it")
	}
	run := cell(t, cgroup.Limits{Pids: 1000})
	for _, cover := range []string{"mount -t tmpfs none", "mount -o remount,bind,ro"} {
		for limit, want := range map[string]string{"": "hi\n0\n", "-m 64M": "125\n"} {
			out, err := run("unshare", "-m", "sh", "-c", cover+" "+l.V1["memory"]+" && lab exec container "+limit+" -- echo hi; echo $?").Output()
			if err != nil || string(out) != want {
				t.Errorf("%s: exec container %s: %q (%v), want %q", cover, limit, out, err, want)
			}
		}
	}
}
