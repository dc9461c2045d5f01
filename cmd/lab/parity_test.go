package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"lab/bench/results"
	"lab/bench/stats"
)

// Our figures of a command next to those of hyperfine, in turn: make parity. Both say
// something of a quiet machine alone.
func TestParityHyperfine(t *testing.T) {
	rounds, err := strconv.Atoi(os.Getenv("LAB_PARITY"))
	if err != nil || rounds < 1 {
		t.Skip("sets our figures next to hyperfine's, for minutes: make parity")
	}
	if _, err := exec.LookPath("hyperfine"); err != nil {
		t.Skip("no hyperfine; fix: apt-get install hyperfine")
	}
	needs(t)
	lab := command(t)
	run := func(name string, args ...string) {
		t.Helper()
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s %q: %v\n%s", name, args, err, out)
		}
	}
	var ours, theirs []float64
	for i := range rounds {
		dir := filepath.Join(t.TempDir(), fmt.Sprint("r", i))
		run(lab, "run", "command", "--env", "host", "-r", "20", "-w", "2", "--out", dir, "--", "true")
		ours = append(ours, processTimes(t, dir, "")...)
		file := filepath.Join(t.TempDir(), "hyperfine.json")
		run("hyperfine", "-N", "-r", "20", "-w", "2", "--export-json", file, "true")
		var got struct{ Results []struct{ Times []float64 } }
		data, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(data, &got)
		}
		if err != nil || len(got.Results) != 1 {
			t.Fatal(err, got)
		}
		theirs = append(theirs, got.Results[0].Times...)
	}
	apart := stats.Median(ours) - stats.Median(theirs)
	t.Logf("true, %d runs each: lab run command %.3f ms, hyperfine -N %.3f ms", len(ours), 1000*stats.Median(ours), 1000*stats.Median(theirs))
	if math.Abs(apart) > 100e-6 {
		t.Errorf("they are %.3f ms apart, more than 0.1 ms", 1000*apart)
	}
}

// Of 5 ms of computing 2 % more is found.
func TestParityPlanted(t *testing.T) {
	if os.Getenv("LAB_PARITY") == "" {
		t.Skip("plants a difference of 0.1 ms, which a quiet machine alone shows: make parity")
	}
	needs(t)
	const loop = "i=0; while [ $i -lt {n} ]; do i=$((i+1)); done"
	n := 100_000
	began := time.Now()
	if err := exec.Command("busybox", "sh", "-c", "i=0; while [ $i -lt "+strconv.Itoa(n)+" ]; do i=$((i+1)); done").Run(); err != nil {
		t.Fatal(err)
	}
	n = int(float64(n) * 0.005 / time.Since(began).Seconds())
	more := n + n/50
	dir := filepath.Join(t.TempDir(), "r")
	out, err := exec.Command(command(t), "run", "command", "--env", "host", "-r", "300", "-w", "5", "-L", "n", fmt.Sprintf("%d,%d", n, more), "--out", dir, "--", "sh", "-c", loop).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	x, y := processTimes(t, dir, strconv.Itoa(more)), processTimes(t, dir, strconv.Itoa(n))
	c, err := stats.Compare(x, y, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%.3f ms and %.3f ms; difference %.3f ms (%.3f to %.3f), p %.2g", 1000*stats.Median(y), 1000*stats.Median(x),
		1000*c.Difference.Point, 1000*c.Difference.Lo, 1000*c.Difference.Hi, c.P)
	if !c.Differs() || c.Difference.Point < 0 {
		t.Error("2 % more wasn't found")
	}
}

// processTimes are a run's counted values of metric process, of the rows with n.
func processTimes(t *testing.T, dir, n string) (out []float64) {
	t.Helper()
	run, err := results.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range run.Lines {
		if l.Metric == "process" && !l.Warmup && l.Value != nil && l.Variant["n"] == n {
			out = append(out, *l.Value)
		}
	}
	if len(out) == 0 {
		t.Fatal(dir, "has no times of a process")
	}
	return out
}
