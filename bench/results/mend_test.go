package results

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Wherever a file is cut, what is left after mending is whole trials: all that
// were written to their end, and nothing else.
func TestMend(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, TrialsFile)
	if cut, err := Mend(dir); cut != 0 || err != nil {
		t.Errorf("without a file: %d, %v", cut, err)
	}
	line := func(trial, metric, last string) string {
		return `{"env":"host","trial":` + trial + `,"metric":"` + metric + `","value":1` + last + "}\n"
	}
	last := `,"last":true`
	whole := line("0", "ready", "") + line("0", "gone", last) + line("1", "ready", last) + line("2", "ready", "") + line("2", "gone", last)
	ends := []int{0}
	for i := range whole {
		if whole[i] == '\n' && strings.HasSuffix(whole[:i], last+"}") {
			ends = append(ends, i+1)
		}
	}
	for n := range len(whole) + 1 {
		if err := os.WriteFile(name, []byte(whole[:n]), 0o644); err != nil {
			t.Fatal(err)
		}
		cut, err := Mend(dir)
		if err != nil {
			t.Fatalf("cut at %d: %v", n, err)
		}
		got, _ := os.ReadFile(name)
		want := 0
		for _, e := range ends {
			if e <= n {
				want = e
			}
		}
		if string(got) != whole[:want] || cut != int64(n-want) {
			t.Fatalf("cut at %d: %d bytes are left and %d were cut, want %d left", n, len(got), cut, want)
		}
		if lines, dropped, err := ReadTrials(strings.NewReader(string(got))); err != nil || dropped != 0 || len(lines) != strings.Count(string(got), "\n") {
			t.Fatalf("cut at %d: read back %d lines, %d dropped, %v", n, len(lines), dropped, err)
		}
	}
	// A distribution's line, too, may have been cut.
	sample := filepath.Join(dir, SamplesDir, "fsync.jsonl")
	if err := os.Mkdir(filepath.Dir(sample), 0o755); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{"{1}\n{2}\n": "{1}\n{2}\n", "{1}\n{2": "{1}\n", "{": "", "": ""} {
		if err := os.WriteFile(sample, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Mend(dir); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(sample); string(got) != want {
			t.Errorf("samples %q: left %q, want %q", text, got, want)
		}
	}
	// Damage in the middle isn't a cut.
	bad := slices.Concat([]byte(line("0", "ready", last)), []byte("{\n"), []byte(line("1", "ready", last)))
	os.WriteFile(name, bad, 0o644)
	if _, err := Mend(dir); err == nil || !strings.Contains(err.Error(), "trials.jsonl:2:") {
		t.Errorf("damage: %v", err)
	}
	if got, _ := os.ReadFile(name); !slices.Equal(got, bad) {
		t.Error("a damaged file was changed")
	}
}
