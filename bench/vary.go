package bench

import (
	"maps"
	"slices"
)

// vary makes of each cell one for each combination of the values that the user
// gave a setting (Options.Vary). A setting that the cell's environment doesn't
// have, or that the scenario sets for the cell by itself, leaves it as it is.
func vary(cells []Cell, axes map[string][]string, has func(env, setting string) bool) []Cell {
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
