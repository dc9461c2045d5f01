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

// Fleets are those that results folders are of, by their own folders.
type Fleets struct {
	by    map[string]*Fleet // nil: there is none
	order []*Fleet
}

// Of are the fleets that have some results folders (FLEET/SCENARIO/NAME).
func Of(dirs []string) *Fleets {
	s := &Fleets{by: map[string]*Fleet{}}
	for _, dir := range dirs {
		place := placeOf(dir)
		if _, known := s.by[place]; known {
			continue
		}
		f, err := Open(place)
		if err != nil {
			s.by[place] = nil
			continue
		}
		s.by[place], s.order = f, append(s.order, f)
	}
	return s
}

// placeOf is the folder of the fleet, if any, whose results folder dir is.
func placeOf(dir string) string { return filepath.Dir(filepath.Dir(absolute(dir))) }

// Apart is the name of the machine whose results of a scenario are in a folder, if its
// machine id is that of several machines; else nothing, and so it is of a folder of no
// fleet.
func (s *Fleets) Apart(scenario, dir, machine string) string {
	f := s.by[placeOf(dir)]
	if f == nil || !slices.ContainsFunc(s.order, func(o *Fleet) bool { return slices.Contains(o.Shared, machine) }) {
		return ""
	}
	for _, h := range f.Hosts {
		if filepath.Base(absolute(dir)) == h.Folder && absolute(f.results(h, scenario)) == absolute(dir) {
			return f.first(h).Name
		}
	}
	return ""
}

// Absent are the machines without results of a scenario, of those fleets of which all
// folders of that scenario are among dirs. One that another of these fleets has measured
// isn't absent.
func (s *Fleets) Absent(scenario string, dirs []string) (out []Absence) {
	given, seen := map[string]bool{}, map[string]bool{}
	for _, dir := range dirs {
		given[absolute(dir)] = true
	}
	for _, f := range s.order {
		for _, h := range f.Hosts {
			seen[h.Name] = seen[h.Name] || given[absolute(f.results(h, scenario))]
		}
	}
	for _, f := range s.order {
		if dirs := f.Folders(scenario); len(dirs) == 0 || slices.ContainsFunc(dirs, func(dir string) bool { return !given[absolute(dir)] }) {
			continue
		}
		for _, a := range f.Absent(scenario) {
			if !seen[a.Name] {
				seen[a.Name] = true
				out = append(out, a)
			}
		}
	}
	return out
}

func absolute(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		return abs
	}
	return dir
}
