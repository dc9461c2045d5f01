package results

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A guess is taken for one only if it is whole, the run's own, and older than it.
func TestGuess(t *testing.T) {
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	whole := func() *Guess {
		g := &Guess{Format: Format, Scenario: "startup", Metric: "ready", Base: "host", Ratios: map[string]float64{"container": 1.5}, Worst: "vm", At: at}
		g.Seal()
		return g
	}
	for name, x := range map[string]struct {
		change func(*Guess, *Manifest) []byte
		want   string
	}{
		"right":   {func(g *Guess, m *Manifest) []byte { return nil }, ""},
		"changed": {func(g *Guess, m *Manifest) []byte { g.Ratios["container"] = 8; m.Guess = g.Recorded(); return nil }, "changed after"},
		"later":   {func(g *Guess, m *Manifest) []byte { m.Started = at; return nil }, "older than the run"},
		"another": {func(g *Guess, m *Manifest) []byte { g.Worst = "host"; g.Seal(); return nil }, "another digest"},
		"added":   {func(g *Guess, m *Manifest) []byte { m.Guess = nil; return nil }, "put there later"},
		"huge":    {func(g *Guess, m *Manifest) []byte { g.Ratios["vm"] = 1e300; g.Seal(); return nil }, "isn't a ratio"},
		"half":    {func(g *Guess, m *Manifest) []byte { return g.Bytes()[:30] }, "unexpected end"},
		"gone":    {func(g *Guess, m *Manifest) []byte { return []byte{} }, "any more"},
	} {
		g := whole()
		m := Manifest{Format: Format, Started: at.Add(time.Minute), Guess: g.Recorded()}
		data := x.change(g, &m)
		if data == nil {
			data = g.Bytes()
		}
		dir := t.TempDir()
		if len(data) > 0 {
			if err := os.WriteFile(filepath.Join(dir, GuessFile), data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		r := Run{Manifest: m}
		r.readGuess(root)
		root.Close()
		switch {
		case x.want == "" && (r.Guess == nil || r.NoGuess != nil):
			t.Errorf("%s: %v", name, r.NoGuess)
		case x.want != "" && (r.Guess != nil || r.NoGuess == nil || !strings.Contains(r.NoGuess.Error(), x.want)):
			t.Errorf("%s: %v, want %q", name, r.NoGuess, x.want)
		}
	}
}
