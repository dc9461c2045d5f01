package reports

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"lab/bench/results"
	"lab/bench/stats"
	"lab/reports/analysis"
)

// Stock benchstat, built from the module that the lab uses anyway, agrees with
// our medians, p-values and verdicts. Ours ask for more: an interval that leaves
// out zero and a correction for the number of comparisons; so what benchstat
// finds no difference in we mustn't, and what we call different it must, too.
func TestBenchstat(t *testing.T) {
	gotool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no go in PATH to build benchstat with; fix: make setup")
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "benchstat")
	if out, err := exec.Command(gotool, "build", "-o", program, "golang.org/x/perf/cmd/benchstat").CombinedOutput(); err != nil {
		t.Fatalf("build benchstat: %v\n%s", err, out)
	}
	a := noisy(1, map[string]float64{"host": 1, "chroot": 1, "container": 1})
	b := noisy(2, map[string]float64{"host": 1, "chroot": 1.3, "container": 0.8})
	c, err := analysis.Compare(a, b)
	if err != nil {
		t.Fatal(err)
	}
	for name, run := range map[string]*results.Run{"a": a, "b": b} {
		if err := os.WriteFile(filepath.Join(dir, name), benchText(analysis.Of(run)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(program, "-format", "csv", "a", "b")
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	theirs := map[string][]string{} // "env metric": their row
	metric := ""
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSpace(line), ",")
		switch {
		case len(f) == 7 && strings.HasSuffix(f[1], "-sec"):
			metric = strings.TrimSuffix(f[1], "-sec")
		case len(f) == 7 && strings.HasPrefix(f[0], "Startup/env="):
			env, _, _ := strings.Cut(strings.TrimPrefix(f[0], "Startup/env="), "-")
			theirs[env+" "+metric] = f
		}
	}
	var found, same int
	for _, r := range c.Rows {
		f := theirs[english(r.Cell)+" "+r.Metric.Name]
		if f == nil {
			t.Fatalf("benchstat has no row %s %s in\n%s", r.Cell, r.Metric.Name, out)
		}
		for i, want := range map[int]float64{1: r.A.Point, 3: r.B.Point} {
			if got, err := strconv.ParseFloat(f[i], 64); err != nil || math.Abs(got/want-1) > 1e-12 {
				t.Errorf("%s %s: benchstat's median is %s, ours %v", r.Cell, r.Metric.Name, f[i], want)
			}
		}
		var p float64
		var n int
		if _, err := fmt.Sscanf(f[6], "p=%f n=%d", &p, &n); err != nil || math.Abs(p-r.P) > 0.0006 || n != 24 {
			t.Errorf("%s %s: benchstat says %s, ours is p=%.4f", r.Cell, r.Metric.Name, f[6], r.P)
		}
		different := r.Verdict != analysis.NoDifference
		if different {
			found++
		} else if f[5] == "~" {
			same++
		}
		if different && f[5] == "~" {
			t.Errorf("%s %s: %s, and benchstat finds no difference", r.Cell, r.Metric.Name, r.Verdict)
		}
		if different && (strings.HasPrefix(f[5], "+") != (r.Verdict == analysis.Slower)) {
			t.Errorf("%s %s: %s, and benchstat says %s", r.Cell, r.Metric.Name, r.Verdict, f[5])
		}
		// Where even the corrected test is sure, so is benchstat.
		if r.P*float64(r.Family) < stats.Alpha && f[5] == "~" {
			t.Errorf("%s %s: corrected p %v, and benchstat finds no difference", r.Cell, r.Metric.Name, r.P*float64(r.Family))
		}
	}
	if found < 4 || same < 1 { // chroot and container, by ready and gone; host is the same
		t.Errorf("%d rows differ and %d don't: what is to be agreed on?", found, same)
	}
}

// noisy is a run of three environments, made up: as long as typical, times what
// factor says.
func noisy(seed uint64, factor map[string]float64) *results.Run {
	run := &results.Run{Dir: fmt.Sprint("made up ", seed), Manifest: results.Manifest{Scenario: "startup", Seed: 1, Metrics: []results.Metric{
		{Name: "ready", Title: "Time until ready", Unit: "s", Better: "lower"}, {Name: "gone", Title: "Time until gone", Unit: "s", Better: "lower"}}},
		Machine: results.Machine{Arch: "amd64", CPUs: 2}}
	rng := rand.New(rand.NewPCG(seed, 5))
	for i, env := range []string{"host", "chroot", "container"} {
		run.Manifest.Cells = append(run.Manifest.Cells, results.Cell{Env: env, N: 1, Trials: 24})
		for n := range 24 {
			for j, metric := range []string{"ready", "gone"} {
				v := 1e-3 * float64(i+j+1) * factor[env] * (1 + 0.1*rng.ExpFloat64())
				run.Lines = append(run.Lines, results.Line{Scenario: "startup", Env: env, N: 1, Block: n, Trial: n*3 + i, Metric: metric, Value: &v, Unit: "s", Better: "lower", Last: j == 1})
			}
		}
	}
	return run
}
