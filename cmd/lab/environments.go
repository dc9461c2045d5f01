package main

import (
	"slices"

	"lab/bench"
)

// Several environments may be asked for by one name, that of a group (all, engines)
// which each of them says it belongs to. Whoever asked by such a name didn't ask for
// each: one that can't run here is then a row that says why, and not an error.

// known is what they say about themselves.
func known(also ...string) []bench.About { return bench.AboutAll(environments(also...)) }

// allName stands for every environment, as their groups' names do for some.
const allName = "all"

// members puts environments in place of the names of groups, each once; some are those
// that came by such a name: it is no failure if one of them can't run here.
func members(names []string) (out, some []string) {
	add := func(name string) bool {
		if slices.Contains(out, name) {
			return false
		}
		out = append(out, name)
		return true
	}
	about := known()
	for _, name := range names {
		found := false
		for _, a := range about {
			if name == allName || slices.Contains(a.Groups, name) {
				if found = true; add(a.Name) && !slices.Contains(names, a.Name) {
					some = append(some, a.Name)
				}
			}
		}
		if !found {
			add(name)
		}
	}
	return out, some
}

// groupNames lists the names that stand for several environments.
func groupNames() []string {
	out := []string{allName}
	for _, a := range known() {
		for _, g := range a.Groups {
			if !slices.Contains(out, g) {
				out = append(out, g)
			}
		}
	}
	return out
}
