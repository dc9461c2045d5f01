package main

import (
	"image/color"
	"testing"

	"lab/bench"
	"lab/reports/plot"
)

// What a run measures where no environment was named has colours of its own.
func TestDefaultsDifferInColour(t *testing.T) {
	seen := map[color.RGBA]string{}
	for _, a := range bench.AboutAll(environments()) {
		if !a.Default {
			continue
		}
		c := plot.RowColor(a.Number - 1)
		if seen[c] != "" {
			t.Errorf("%s is drawn as %s is", a.Name, seen[c])
		}
		seen[c] = a.Name
	}
	if len(seen) < 4 {
		t.Errorf("only %v", seen)
	}
}
