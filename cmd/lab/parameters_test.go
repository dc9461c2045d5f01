package main

import (
	"strings"
	"testing"
)

// What hyperfine's users type is what lab run takes; a command's own words stay.
func TestPairedLists(t *testing.T) {
	for typed, want := range map[string]string{
		"lab run command -L n 1,2 -- x -L a b":       "lab run command -L n=1,n=2 -- x -L a b",
		"lab run command --parameter-list n 1 -- x":  "lab run command --parameter-list n=1 -- x",
		"lab run command -L n=1,n=2 --env host -- x": "lab run command -L n=1,n=2 --env host -- x",
		"lab run command -L n":                       "lab run command -L n",
	} {
		if got := strings.Join(pairedLists(strings.Fields(typed)), " "); got != want {
			t.Errorf("%s: %s", typed, got)
		}
	}
}
