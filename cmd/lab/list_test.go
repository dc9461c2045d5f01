package main

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// What there is fits a screen of a laptop, where nothing is missing: a line for each
// scenario and environment, and no more.
func TestListFitsAScreen(t *testing.T) {
	var b strings.Builder
	listed(nil).print(&b)
	lines := strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
	if len(lines) > 32 {
		t.Errorf("lab list has %d lines", len(lines))
	}
	for _, l := range lines {
		if n := utf8.RuneCountInString(l); n > 80 {
			t.Errorf("%d columns: %s", n, l)
		}
	}
}
