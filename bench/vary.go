package bench

import (
	"maps"
	"slices"

	"lab/bench/request"
)

// Planned lists the cells of a run for what was asked, in the manifest's order:
// the scenario's, and where the user gave a setting several values, one for each
// of these. Whoever makes a run, or says what it will be, asks here.
func (s *Scenario) Planned(o Options, envs []Environment) []Cell {
	return vary(s.Cells(o), o.Varied(), func(env, setting string) bool {
		return slices.ContainsFunc(envs, func(e Environment) bool {
			return e.Name() == env && slices.ContainsFunc(e.Settings(), func(x Setting) bool { return x.Name == setting })
		})
	})
}

// vary makes of each cell one for each combination of the values that the user
// gave a setting (Request.Varied). A setting that the cell's environment doesn't
// have, or that the scenario sets for the cell by itself, leaves it as it is.
func vary(cells []Cell, axes map[string]request.Values, has func(env, setting string) bool) []Cell {
	for _, name := range slices.Sorted(maps.Keys(axes)) {
		var out []Cell
		for _, c := range cells {
			if _, set := c.Variant[name]; set || !has(c.Env, name) {
				out = append(out, c)
				continue
			}
			for _, v := range axes[name] {
				x := c
				x.Variant = maps.Clone(c.Variant)
				if x.Variant == nil {
					x.Variant = map[string]string{}
				}
				x.Variant[name] = v
				out = append(out, x)
			}
		}
		cells = out
	}
	return cells
}
