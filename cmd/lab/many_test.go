package main

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"lab/bench/results"
	"lab/reports"
	"lab/reports/analysis"
)

// manyFolders makes n synthetic folders, of as many machines: four of the synthetic run's
// rows, with so many trials each, and a value a trial around each machine's own.
func manyFolders(t testing.TB, n, trials int) (dirs []string) {
	t.Helper()
	run, err := results.Read(filepath.Join(top, "reports", "testdata", "synthetic"))
	if err != nil {
		t.Fatal(err)
	}
	place := t.TempDir()
	var envs []string
	for i := range run.Manifest.Cells {
		if c := &run.Manifest.Cells[i]; c.NotRun == nil && len(envs) < 4 {
			c.Trials, c.Warmup = trials, 0
			envs = append(envs, c.Env)
		}
	}
	if len(envs) != 4 {
		t.Fatalf("the synthetic run has %q", envs)
	}
	lines := make([]byte, 0, 1<<20)
	for i := range n {
		dir := filepath.Join(place, fmt.Sprintf("m%05d", i))
		dirs = append(dirs, dir)
		run.Manifest.ID, run.Machine.ID = fmt.Sprintf("c1a55%011d", i), fmt.Sprintf("machine%05d", i)
		f, err := results.Create(dir, -1, -1, func(w *results.Writer) error {
			if err := w.Machine(&run.Machine); err != nil {
				return err
			}
			return w.Manifest(&run.Manifest)
		})
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		lines = lines[:0]
		for trial := range trials * len(envs) {
			env := trial % len(envs)
			value := math.Pow(4, float64(env)) * (1 + float64(i%97)/100) * (0.004 + 0.0001*float64((trial*7919+i*104729)%1009)/1009)
			lines = fmt.Appendf(lines, `{"id":%q,"scenario":"startup","env":%q,"variant":{},"n":1,"block":%d,"pos":%d,"trial":%d,"warmup":false,"metric":"ready","value":`,
				run.Manifest.ID, envs[env], trial/len(envs), env, trial)
			lines = strconv.AppendFloat(lines, value, 'g', -1, 64)
			lines = fmt.Appendf(lines, `,"unit":"s","better":"lower","stat":"","samples":1,"part_of":"","seq":0,"instance":0,"text":"","err":"","blame":"","taint":null,"env_pad":%d,"argv_pad":%d,"at":%d,"last":true}`+"\n", trial*37%4096, trial*53%4096, trial)
		}
		put(t, dir, results.TrialsFile, lines)
		if err := reports.WriteSums(dir, -1, -1); err != nil {
			t.Fatal(err)
		}
	}
	return dirs
}

// peak resets, or returns, the most memory that this process had, in bytes.
func peak(t testing.TB, reset bool) (n int64) {
	t.Helper()
	if reset {
		if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
			t.Fatal(err)
		}
		return 0
	}
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if v, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			fmt.Sscan(v, &n)
		}
	}
	if n == 0 {
		t.Fatal("the kernel doesn't say how much memory this process had")
	}
	return n << 10
}

// across merges and draws folders, as lab report does, and returns where.
func across(t testing.TB, dirs []string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out")
	said := printed(t, append([]string{"report", "--out", out}, dirs...))
	if want := fmt.Sprintf("%d machines", len(dirs)); !strings.Contains(said, want) {
		t.Fatalf("it doesn't say %q:\n%.3000s", want, said)
	}
	return out
}

// Of many machines the report has all in its table for programs, a few in those for
// people, and pictures that can be looked at; their figures are what they are of few.
func TestManyMachines(t *testing.T) {
	dirs := manyFolders(t, analysis.Many+10, 20)
	out := across(t, dirs)
	table, err := os.ReadFile(filepath.Join(out, "machines.csv"))
	if err != nil {
		t.Fatal(err)
	}
	few := filepath.Join(across(t, dirs[:3]), "machines.csv")
	want, err := os.ReadFile(few)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]bool{}
	for line := range bytes.Lines(table) {
		rows[string(line)] = true
	}
	for line := range strings.Lines(string(want)) {
		if !rows[line] {
			t.Errorf("not among many: %s", line)
		}
	}
	text, err := os.ReadFile(filepath.Join(out, "machines.md"))
	if err != nil || len(text) > 60_000 || !bytes.Contains(text, []byte("machines.csv has all")) {
		t.Errorf("machines.md has %d bytes, %v:\n%.2000s", len(text), err, text)
	}
	plots, _ := filepath.Glob(filepath.Join(out, "plots", "*.png"))
	for _, name := range plots {
		if st, err := os.Stat(name); err != nil || st.Size() > 2<<20 {
			t.Errorf("%s: %d bytes, %v", name, st.Size(), err)
		}
	}
	if len(plots) < 2 {
		t.Errorf("%q", plots)
	}
	if dir := os.Getenv("LAB_KEEP"); dir != "" {
		os.CopyFS(dir, os.DirFS(out))
	}
}

// BenchmarkMerge merges and draws 10,000 folders of 1,000 trials, which may take two
// minutes and 2 GiB.
func BenchmarkMerge(b *testing.B) {
	dirs := manyFolders(b, 10_000, 250)
	for b.Loop() {
		peak(b, true)
		begin := time.Now()
		across(b, dirs)
		took, most := time.Since(begin), peak(b, false)
		b.ReportMetric(took.Seconds(), "s")
		b.ReportMetric(float64(most)/(1<<20), "MiB")
		if took > 2*time.Minute || most > 2<<30 {
			b.Errorf("%v and %d MiB; want 2 minutes and 2 GiB at the most", took, most>>20)
		}
	}
}
