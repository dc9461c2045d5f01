package reports

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lab/bench/results"
	"lab/reports/msg"
	"lab/reports/page"
)

// guessing has a made-up run take a guess along.
func guessing(run *results.Run, ratios map[string]float64, worst string) *results.Run {
	g := &results.Guess{Format: results.Format, Scenario: run.Manifest.Scenario, Metric: "ready", Base: "host", Ratios: ratios, Worst: worst, At: run.Manifest.Started.Add(-5 * time.Minute)}
	g.Seal()
	run.Guess, run.Manifest.Guess = g, g.Recorded()
	return run
}

// A report has each guess beside its result, marked close or not, in all its forms; an
// emulated guest's is not judged.
func TestGuesses(t *testing.T) {
	run := guessing(synthetic(12), map[string]float64{"chroot": 1.5, "container": 2, "vm": 50, "docker": 3, "nspawn": 4}, "container")
	files, err := Files(run)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, f := range files {
		all[f.Name] = string(f.Data)
		if dir := os.Getenv("LAB_KEEP"); dir != "" {
			os.MkdirAll(filepath.Join(dir, "plots"), 0o755)
			os.WriteFile(filepath.Join(dir, f.Name), f.Data, 0o644)
		}
	}
	for name, want := range map[string][]string{
		"report.md":         {"## Guessed first", "Written down on 2026-01-02 02:59 UTC", "| chroot | 1.50 × | 1.04 × ", "| 7.98 × (6.55 to 9.31) | off by 4.0 |", "emulated: not compared", "no such row", "1 of 2 within a factor of 2", "comes off worst, as guessed", "plots/guesses"},
		"report.html":       {"Guessed first", "data:image/svg&#43;xml;base64,", "emulated: not compared"},
		"plots/guesses.svg": {"guessed and measured", "chroot", "container", "the guess"},
		"plots/guesses.png": {"PNG"},
		"plots/guesses.pdf": {"%PDF"},
	} {
		for _, w := range want {
			if !strings.Contains(all[name], w) {
				t.Errorf("%s doesn't say %q", name, w)
			}
		}
	}
	if len(all["report.html"]) > 300<<10 {
		t.Errorf("report.html has %d bytes", len(all["report.html"]))
	}
	var b bytes.Buffer
	if err := Terminal(&b, run, page.Options{Width: 80}); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), "Your guess"); n != 1 {
		t.Errorf("%d lines of the guess:\n%s", n, b.String())
	}
	// One that doesn't count is said not to.
	run = synthetic(12)
	run.NoGuess = os.ErrInvalid
	if text := string(mustReport(t, run)); !strings.Contains(text, "doesn't count: invalid argument") {
		t.Error("an invalid guess isn't named")
	}
}

func mustReport(t *testing.T, run *results.Run) []byte {
	t.Helper()
	files, err := Files(run)
	if err != nil {
		t.Fatal(err)
	}
	return files[0].Data
}

// A class's guesses stand beside its results by kind of machine, and kinds aren't mixed.
func TestClassGuesses(t *testing.T) {
	runs := class()
	for i := range runs {
		guessing(runs[i], map[string]float64{"container": float64(i + 2), "vm": 3}, "vm")
	}
	m := across(t, runs)
	md := string(machinesReport(m, nil).Markdown(msg.English()))
	for _, want := range []string{"## Guesses and results", "| inside a virtual machine, TCG (emulated) | container net=bridge | 4.00 × (2.00 to 6.00) |", "| bare metal, KVM | container net=bridge | 7.00 ×", "| bare metal, KVM | vm | 3.00 ×", "| 7.98 × | 3 of 5 |",
		"Bare metal, KVM: 1 of 1 named the environment that came off worst."} {
		if !strings.Contains(md, want) {
			t.Errorf("no %q in\n%s", want, md)
		}
	}
	if strings.Contains(md, "TCG (emulated) | vm |") {
		t.Error("an emulated guest's guess was judged")
	}
	if strings.Contains(string(machinesReport(across(t, class()), nil).Markdown(msg.English())), "Guesses") {
		t.Error("guesses without any")
	}
}
