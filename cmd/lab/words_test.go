package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"lab/bench/results"
)

// What is explained is text, whatever a reason begins with, and names what there is.
func TestExplainedIsText(t *testing.T) {
	for _, x := range everything() {
		if !utf8.ValidString(x.Text) || strings.ContainsRune(x.Text, utf8.RuneError) {
			t.Errorf("%s: a character was cut", x.Name)
		}
		if x.Name == "cpu" && x.Kind == "scenario" && !strings.Contains(x.Text, "as on the host.” “Near native” is less") {
			t.Errorf("a quoted reason isn't a sentence: %s", x.Text)
		}
	}
}

func TestRoughly(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "a second", time.Second: "a second", 2 * time.Second: "2 s", 89 * time.Second: "89 s",
		2 * time.Minute: "2 min", 3 * time.Hour: "3.0 h",
	} {
		if got := roughly(d); got != want {
			t.Errorf("roughly(%v) = %s, want %s", d, got, want)
		}
	}
}

func TestBriefly(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "1 ms", 4 * time.Millisecond: "4 ms", 94 * time.Millisecond: "94 ms", 650 * time.Millisecond: "0.7 s",
		3300 * time.Millisecond: "3.3 s", 12 * time.Second: "12 s", 3 * time.Minute: "3 min",
	} {
		if got := briefly(d); got != want {
			t.Errorf("briefly(%v) = %s, want %s", d, got, want)
		}
	}
}

// Each part that a plot names is explained: those of the reference runs, and those that
// only other scenarios have.
func TestPartsAreExplained(t *testing.T) {
	known := map[string]bool{}
	for _, x := range everything() {
		known[x.Name] = true
	}
	parts := []string{"pull", "make ready", "start", "first answer", "run", "kept", "fresh",
		"kernel objects", "kernel stacks", "page tables", "per-CPU data", "the lab's memory", "the programs' memory"}
	dirs, _ := filepath.Glob(filepath.Join(top, "reports", "reference", "*", results.ManifestFile))
	for _, dir := range dirs {
		run, err := results.Read(filepath.Dir(dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range run.Lines {
			if l.PartOf != "" {
				parts = append(parts, l.Metric)
			}
		}
	}
	if slices.Sort(parts); len(dirs) == 0 {
		t.Error("no reference run")
	}
	for _, p := range slices.Compact(parts) {
		if !known[p] {
			t.Errorf("lab explain doesn't know the part %q", p)
		}
	}
}
