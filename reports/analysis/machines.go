package analysis

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"lab/bench/results"
	"lab/bench/stats"
	"lab/reports/msg"
)

// Machines sets runs of one scenario side by side that were made on several
// machines: a class's laptops, a paper's servers. Trials of different machines
// are never put into one heap, nor are those of two runs of one machine: each
// run keeps its own median and interval, and what lies between the machines is
// said as their spread.
type Machines struct {
	Scenario, Question string
	Machines           []*Machine
	Groups             []*MachineGroup
	Notes              []string // what must be known to read the figures
	Metrics            []results.Metric
}

// A Machine is one machine with its runs.
type Machine struct {
	Name  string // "machine 1", in the order of the folders
	Facts results.Machine
	Runs  []*Analysis
}

// A MachineGroup is a row of the scenario on those machines that can be set
// side by side: all emulated or none, all bare metal or none, the same image,
// workload and guest kernel.
type MachineGroup struct {
	Label string // "container", "vm, TCG (emulated)"
	Where string // "bare metal", "inside a virtual machine"
	Bytes string // which image, workload or guest kernel, where there are several; or ""
	TCG   bool

	conditions conditions
	Entries    []MachineEntry
}

// A MachineEntry is a run's row of a group.
type MachineEntry struct {
	Machine *Machine
	Run     *Analysis
	Cell    *Cell
}

// A Spread is how far apart machines lie in one figure, a value each.
type Spread struct {
	Machines                     int
	Least, Middle, Largest       float64
	Interval                     stats.Interval // of the middle machine; a range where there are too few
	LeastMachine, LargestMachine string
}

// AcrossMachines sets runs of one scenario side by side. Runs of different
// scenarios, and one run given twice, are an error.
func AcrossMachines(runs []*results.Run) (*Machines, error) {
	m := &Machines{}
	byID, seen := map[string]*Machine{}, map[string]string{}
	for _, r := range runs {
		x := r.Manifest
		switch {
		case m.Scenario == "":
			m.Scenario, m.Question = x.Scenario, x.Question
		case m.Scenario != x.Scenario:
			return nil, fmt.Errorf("report: %s is a run of %s, and %s of %s: only runs of one scenario can be set side by side",
				runs[0].Dir, m.Scenario, r.Dir, x.Scenario)
		}
		if first, twice := seen[x.ID]; twice && x.ID != "" {
			return nil, fmt.Errorf("report: %s and %s are the same run (%s); name it once", first, r.Dir, x.ID)
		}
		seen[x.ID] = r.Dir
		id := r.Machine.ID
		k := byID[id]
		if k == nil || id == "" {
			k = &Machine{Name: fmt.Sprintf("machine %d", len(m.Machines)+1), Facts: r.Machine}
			m.Machines = append(m.Machines, k)
			byID[id] = k
		}
		a := Of(r)
		k.Runs = append(k.Runs, a)
		for _, y := range a.Metrics {
			if !slices.ContainsFunc(m.Metrics, func(z results.Metric) bool { return z.Name == y.Name }) {
				m.Metrics = append(m.Metrics, y)
			}
		}
	}
	m.group()
	m.note()
	return m, nil
}

// conditions are what figures must have in common to be set side by side.
type conditions struct{ label, where, image, workload, Kernel string }

func ConditionsOf(a *Analysis, c *Cell) conditions {
	x := a.Run.Manifest
	k := conditions{label: c.Name, where: "bare metal", image: shortDigest(x.Image), workload: shortDigest(x.Workload)}
	if a.Run.Machine.Virtual {
		k.where = "inside a virtual machine"
	}
	if a.Run.Machine.Emulated {
		k.where = "inside an emulated machine"
	}
	if x.Environment(c.Env).Guest {
		k.Kernel = shortDigest(x.Kernel)
	}
	return k
}

// group puts the runs' rows into groups, in the order of the runs' rows.
func (m *Machines) group() {
	have := map[conditions]*MachineGroup{}
	var rows []string
	for _, k := range m.Machines {
		for _, a := range k.Runs {
			for _, c := range a.Cells {
				key := ConditionsOf(a, c)
				g := have[key]
				if g == nil {
					g = &MachineGroup{Label: key.label, Where: key.where, TCG: c.TCG, conditions: key}
					have[key] = g
					m.Groups = append(m.Groups, g)
				}
				if !slices.Contains(rows, c.Cell.Label()) {
					rows = append(rows, c.Cell.Label())
				}
				g.Entries = append(g.Entries, MachineEntry{k, a, c})
			}
		}
	}
	slices.SortStableFunc(m.Groups, func(a, b *MachineGroup) int {
		return slices.Index(rows, a.Entries[0].Cell.Cell.Label()) - slices.Index(rows, b.Entries[0].Cell.Cell.Label())
	})
	// Only what tells groups apart is named.
	for _, g := range m.Groups {
		var parts []string
		for _, x := range []struct {
			what string
			of   func(conditions) string
		}{
			{"image", func(c conditions) string { return c.image }},
			{"workload", func(c conditions) string { return c.workload }},
			{"guest kernel", func(c conditions) string { return c.Kernel }},
		} {
			if slices.ContainsFunc(m.Groups, func(o *MachineGroup) bool {
				return o.Label == g.Label && o.Where == g.Where && x.of(o.conditions) != x.of(g.conditions)
			}) {
				parts = append(parts, x.what+" "+x.of(g.conditions))
			}
		}
		g.Bytes = strings.Join(parts, ", ")
	}
}

// BaseName is what the runs' rows are compared with.
func (m *Machines) BaseName() string {
	for _, k := range m.Machines {
		for _, a := range k.Runs {
			if a.FirstIsBase {
				return a.BaseName()
			}
		}
	}
	return Baseline
}

// Measured reports whether any run has a value in the group.
func (g *MachineGroup) Measured() bool {
	return slices.ContainsFunc(g.Entries, func(e MachineEntry) bool { return len(e.Cell.Samples) > 0 })
}

// Title names a group.
func (g *MachineGroup) Title() string {
	return strings.Join(msg.NonEmpty(g.Label, g.Where, g.Bytes), ", ")
}

// A MachineFigure picks one figure of a run's row; ok is false where it has
// none.
type MachineFigure func(MachineEntry) (iv stats.Interval, ok bool)

// MedianOf is a metric's median.
func MedianOf(metric string) MachineFigure {
	return func(e MachineEntry) (stats.Interval, bool) {
		s := e.Cell.Samples[metric]
		if s == nil {
			return stats.Interval{}, false
		}
		return s.Median, true
	}
}

// RatioOf is its ratio to the host's.
func RatioOf(metric string) MachineFigure {
	return func(e MachineEntry) (stats.Interval, bool) {
		s := e.Cell.Samples[metric]
		if s == nil || s.Against == nil || s.Against.Ratio == nil {
			return stats.Interval{}, false
		}
		return *s.Against.Ratio, true
	}
}

// DifferenceOf is what it has more than the host's.
func DifferenceOf(metric string) MachineFigure {
	return func(e MachineEntry) (stats.Interval, bool) {
		s := e.Cell.Samples[metric]
		if s == nil || s.Against == nil {
			return stats.Interval{}, false
		}
		return s.Against.Difference, true
	}
}

// Spread is how far apart a group's machines lie. A machine with several runs
// counts once, with the middle of their figures. Without two machines there is
// none.
func (g *MachineGroup) Spread(f MachineFigure) (Spread, bool) {
	var names []string
	by := map[string][]float64{}
	for _, e := range g.Entries {
		if iv, ok := f(e); ok {
			if by[e.Machine.Name] == nil {
				names = append(names, e.Machine.Name)
			}
			by[e.Machine.Name] = append(by[e.Machine.Name], iv.Point)
		}
	}
	if len(names) < 2 {
		return Spread{}, false
	}
	var values []float64
	for _, n := range names {
		values = append(values, stats.Median(by[n]))
	}
	iv, err := stats.MedianInterval(values)
	if err != nil {
		return Spread{}, false
	}
	s := Spread{Machines: len(names), Least: slices.Min(values), Middle: iv.Point, Largest: slices.Max(values), Interval: iv}
	s.LeastMachine, s.LargestMachine = names[slices.Index(values, s.Least)], names[slices.Index(values, s.Largest)]
	return s, true
}

// note says what is different, and what can't be told.
func (m *Machines) note() {
	say := func(format string, args ...any) { m.Notes = append(m.Notes, fmt.Sprintf(format, args...)) }
	runs := 0
	for _, k := range m.Machines {
		runs += len(k.Runs)
		if len(k.Runs) > 1 {
			say("%s has %d runs: they stand apart, and count as one machine.", msg.Capital(k.Name), len(k.Runs))
		}
		switch {
		case k.Facts.ID == "":
			say("%s has no machine id: whether it is one of the others can't be told.", msg.Capital(k.Name))
		case strings.HasPrefix(k.Facts.ID, "kind-"):
			say("%s has no machine id of its own: runs of several machines of its kind would be taken for one machine's.", msg.Capital(k.Name))
		}
	}
	if len(m.Machines) == 1 {
		say("All %s are of one machine: there is no spread between machines to tell.", msg.Plural(runs, "run"))
	} else {
		say("Machines differ in many things at once: their spread tells how far figures reach, and not why.")
	}
	for _, x := range []struct {
		what, because string
		of            func(*results.Run) string
	}{
		{"Lab versions", "they may measure otherwise", func(r *results.Run) string { return r.Manifest.Lab }},
		{"Images", "their figures stand apart", func(r *results.Run) string { return shortDigest(r.Manifest.Image) }},
		{"Workloads", "their figures stand apart", func(r *results.Run) string { return shortDigest(r.Manifest.Workload) }},
		{"Guest kernels", "their guests' figures stand apart", func(r *results.Run) string {
			if r.Manifest.Kernel == (results.Digested{}) {
				return ""
			}
			return shortDigest(r.Manifest.Kernel)
		}},
	} {
		who := map[string][]string{}
		for _, k := range m.Machines {
			for _, a := range k.Runs {
				if v := x.of(a.Run); v != "" && !slices.Contains(who[v], k.Name) {
					who[v] = append(who[v], k.Name)
				}
			}
		}
		if len(who) > 1 {
			var parts []string
			for _, v := range slices.Sorted(maps.Keys(who)) {
				parts = append(parts, v+" ("+strings.Join(who[v], ", ")+")")
			}
			say("%s differ, and %s: %s.", x.what, x.because, strings.Join(parts, "; "))
		}
	}
	for _, g := range m.Groups {
		for _, d := range g.settings() {
			say("%s: the machines' settings differ: %s.", g.Title(), d)
		}
	}
	m.gather(func(a *Analysis) (out []string) {
		for _, c := range a.Cells {
			if c.NotRun != nil {
				out = append(out, c.Name+" was "+NotRun(c)+".")
			}
		}
		return append(out, a.Banners()...)
	})
}

// gather notes what holds of some runs, each text once, with the machines.
func (m *Machines) gather(of func(*Analysis) []string) {
	var texts []string
	who := map[string][]string{}
	for _, k := range m.Machines {
		for _, a := range k.Runs {
			for _, t := range of(a) {
				if who[t] == nil {
					texts = append(texts, t)
				}
				if !slices.Contains(who[t], k.Name) {
					who[t] = append(who[t], k.Name)
				}
			}
		}
	}
	for _, t := range texts {
		m.Notes = append(m.Notes, msg.Capital(strings.Join(who[t], ", "))+": "+t)
	}
}

// settings lists those in which the entries' settings differ, with the values.
func (g *MachineGroup) settings() []string {
	values := map[string][]string{}
	for _, e := range g.Entries {
		if e.Cell.NotRun != nil {
			continue
		}
		for k, v := range e.Cell.Settings {
			if k != "kernel" && !slices.Contains(values[k], v) { // a path; it stands there by digest
				values[k] = append(values[k], v)
			}
		}
	}
	var out []string
	for _, k := range slices.Sorted(maps.Keys(values)) {
		if len(values[k]) > 1 {
			out = append(out, k+" is "+strings.Join(values[k], ", and "))
		}
	}
	return out
}

// ShortDir is enough of a folder to know it by.
func ShortDir(dir string) string { return filepath.Base(filepath.Clean(dir)) }
