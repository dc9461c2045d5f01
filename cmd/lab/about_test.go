package main

import (
	"context"
	"slices"
	"strings"
	"testing"

	"lab/bench"
)

// An environment says all that others need to know of it, and rests on checks
// and settings that there are.
func TestAbout(t *testing.T) {
	all, err := checks(context.Background(), false)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range environments() {
		a := e.About()
		if a.Is == "" || a.Needs == "" || a.Caveat == "" && (a.Guest || a.LowerBound || a.WholeCommand) || strings.HasSuffix(a.Is+a.Needs+a.Caveat, ".") {
			t.Errorf("%s: what it is, what it needs and how its rows are to be read, without a full stop: %+v", e.Name(), a)
		}
		if len(a.Rests) == 0 {
			t.Errorf("%s rests on nothing, not even root", e.Name())
		}
		for i, r := range a.Rests {
			name, value, _ := strings.Cut(r.Variant, "=")
			if r.Variant != "" && !slices.ContainsFunc(e.Settings(), func(s bench.Setting) bool { return s.Name == name && slices.Contains(s.Values, value) }) {
				t.Errorf("%s: it has no setting %s", e.Name(), r.Variant)
			}
			found := false
			for _, c := range all {
				found = found || c.Name == r.Check
			}
			if !found || slices.Contains(a.Rests[:i], r) {
				t.Errorf("%s: %q is no check of doctor's, or named twice", e.Name(), r.Check)
			}
		}
	}
}

// Without QEMU no virtual machine can run, nor what is in one, and lab list says so.
func TestListWithoutQEMU(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	all, err := checks(context.Background(), false)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range listed(all).Environments {
		var missing []string
		for _, c := range e.Missing {
			missing = append(missing, c.Name)
		}
		if want := strings.HasPrefix(e.Name, "vm") || strings.HasSuffix(e.Name, "-vm") || e.Name == "xen"; slices.Contains(missing, "QEMU") != want || want && e.Runs {
			t.Errorf("%s: runs %v, misses %q", e.Name, e.Runs, missing)
		}
	}
}
