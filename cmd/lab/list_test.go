package main

import (
	"strings"
	"testing"

	"lab/bench/text"
)

// What there is fits a screen of a laptop, in each language; each list by itself has all.
func TestListFitsAScreen(t *testing.T) {
	var b strings.Builder
	l := listed(nil)
	l.print(&b)
	lines := strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
	if len(lines) > 24 {
		t.Errorf("lab list has %d lines", len(lines))
	}
	for _, l := range lines {
		if n := text.Columns(l); n > 80 {
			t.Errorf("%d columns: %s", n, l)
		}
	}
	b.Reset()
	l.printScenarios(&b)
	l.printEnvironments(&b)
	for _, s := range l.Scenarios {
		if !strings.Contains(b.String(), "  "+s.Name+" ") {
			t.Error("not listed:", s.Name)
		}
	}
	for _, e := range l.Environments {
		if !strings.Contains(b.String(), "  "+e.Name+" ") {
			t.Error("not listed:", e.Name)
		}
	}
}
