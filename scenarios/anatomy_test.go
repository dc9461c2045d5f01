package scenarios

import (
	"maps"
	"slices"
	"testing"

	"lab/bench"
	"lab/bench/benchtest"
	"lab/bench/request"
)

// The staircase begins with none of the ingredients and ends with a container's own
// settings; between two neighbours lies one ingredient. Whoever lacks one, or has one
// more, differs from a container in that alone.
func TestStaircase(t *testing.T) {
	whole := map[string]string{}
	for _, i := range ingredients {
		whole[i.setting] = i.on
	}
	differ := func(a, b map[string]string) (in []string) {
		for k := range a {
			if a[k] != b[k] {
				in = append(in, k)
			}
		}
		return slices.Sorted(slices.Values(in))
	}
	with := func(set map[string]string) map[string]string {
		m := maps.Clone(whole)
		maps.Copy(m, set)
		return m
	}
	ways := anatomyWays()
	if ways[0].variant != nil || ways[0].set != nil {
		t.Errorf("the first row is %+v, and others are compared with it", ways[0])
	}
	var last map[string]string
	for _, w := range ways[1:] {
		switch {
		case w.variant["up-to"] == anatomyRoot:
			if got := differ(with(w.set), whole); len(got) != len(ingredients) {
				t.Errorf("%v differs from a container in %q", w.variant, got)
			}
		case w.variant["up-to"] != "":
			if got := differ(w.set, last); !slices.Equal(got, []string{setting(w.variant["up-to"])}) {
				t.Errorf("%v differs from the row before it in %q", w.variant, got)
			}
		default:
			if got := differ(with(w.set), whole); len(got) > 1 {
				t.Errorf("%v differs from a container in %q", w.variant, got)
			}
		}
		if w.variant["up-to"] != "" {
			last = w.set
		}
	}
	if !maps.Equal(last, whole) {
		t.Errorf("the staircase ends with %v, a container has %v", last, whole)
	}
}

func setting(name string) string {
	for _, i := range ingredients {
		if i.name == name {
			return i.setting
		}
	}
	return ""
}

// What hasn't the ingredients has one row; a guest that can be restored has two.
func TestAnatomyRows(t *testing.T) {
	var got []string
	for _, c := range Anatomy().Cells(bench.Options{Known: benchtest.Known, Request: request.Request{Quick: true}}) {
		if len(c.Set) == 0 {
			got = append(got, c.Env)
		}
	}
	if want := []string{"host", "chroot", "container", "vm"}; !slices.Equal(slices.Compact(got), want) {
		t.Errorf("rows %q, want %q", got, want)
	}
}
