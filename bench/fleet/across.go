package fleet

import (
	"cmp"
	"path/filepath"
	"slices"
)

// An Absence is why a machine has no results of a scenario.
type Absence struct{ Name, Reason string }

// Absent are the machines without results of a scenario, in the machines' order.
func (f *Fleet) Absent(scenario string) (out []Absence) {
	for _, h := range f.Hosts {
		if m, _ := f.there(h, scenario); m == nil {
			out = append(out, Absence{h.Name, cmp.Or(h.Reason, "it isn't measured yet")})
		}
	}
	return out
}

// Folders are the results folders of one scenario, a machine each, in the machines'
// order.
func (f *Fleet) Folders(scenario string) (dirs []string) {
	for _, h := range f.Hosts {
		if m, _ := f.there(h, scenario); m != nil {
			dirs = append(dirs, f.results(h, scenario))
		}
	}
	return dirs
}

// Of is the fleet whose results folder dir is (FLEET/SCENARIO/NAME); nil: none's.
func Of(dir string) *Fleet {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil
	}
	f, err := Open(filepath.Dir(filepath.Dir(dir)))
	if err != nil {
		return nil
	}
	return f
}

// Apart is the name of the machine whose results of a scenario are in a folder, if its
// machine id is that of several machines; else nothing.
func (f *Fleet) Apart(scenario, dir, machine string) string {
	if !slices.Contains(f.Shared, machine) {
		return ""
	}
	for _, h := range f.Hosts {
		if filepath.Base(dir) == h.Folder && samePath(f.results(h, scenario), dir) {
			return h.Name
		}
	}
	return ""
}

// AllOf says whether all folders of a scenario's results are among these.
func (f *Fleet) AllOf(scenario string, dirs []string) bool {
	given := map[string]bool{}
	for _, dir := range dirs {
		dir, _ = filepath.Abs(dir)
		given[dir] = true
	}
	return !slices.ContainsFunc(f.Folders(scenario), func(dir string) bool {
		dir, _ = filepath.Abs(dir)
		return !given[dir]
	})
}

func samePath(a, b string) bool {
	a, _ = filepath.Abs(a)
	b, _ = filepath.Abs(b)
	return a == b
}
