package analysis

import (
	"maps"
	"slices"
	"strconv"

	"lab/bench/results"
)

// Values lists what by can be in a run, in the order of its rows.
func Values(run *results.Run, by string) []string {
	var out []string
	for _, c := range run.Manifest.Cells {
		if v := value(&Cell{Cell: c}, by); v != "" && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// Choices lists what the rows of a run differ in: env, n, variants' names.
func Choices(run *results.Run) []string {
	names := map[string]bool{}
	for _, c := range run.Manifest.Cells {
		for k := range c.Variant {
			names[k] = true
		}
	}
	out := append([]string{"env", "n"}, slices.Sorted(maps.Keys(names))...)
	return slices.DeleteFunc(out, func(by string) bool { return len(Values(run, by)) < 2 })
}

func value(c *Cell, by string) string {
	switch by {
	case "env":
		return c.Env
	case "n":
		return strconv.Itoa(max(c.N, 1))
	}
	return c.Variant[by]
}

// agree reports whether two cells differ in nothing but by. Environments don't
// have the same settings: what only one of them has is no contradiction.
func agree(p, q *Cell, by string) bool {
	if by != "env" && p.Env != q.Env || by != "n" && max(p.N, 1) != max(q.N, 1) {
		return false
	}
	for k, v := range p.Variant {
		if w, ok := q.Variant[k]; k != by && (ok && v != w || !ok && by != "env") {
			return false
		}
	}
	return by == "env" || len(p.Variant) == len(q.Variant)
}
