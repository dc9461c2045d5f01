package analysis

import (
	"cmp"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"

	"lab/bench/clean"
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
	Absent             []Absent      // of a fleet
	Notes              []msg.Message // what must be known to read the figures
	Metrics            []results.Metric
}

// Absent is a machine of a fleet that has no run, and why.
type Absent struct{ Name, Reason string }

// A Machine is one machine with its runs.
type Machine struct {
	Name  msg.Message // of its folders, or "machine 1", in their order
	Named bool        // after its folders
	Facts results.Machine
	Runs  []*Analysis
}

// Trials are how many of a machine's trials counted, and how many of these were disturbed.
func (k *Machine) Trials() (counted, disturbed int) {
	for _, a := range k.Runs {
		for _, c := range a.Cells {
			counted, disturbed = counted+c.Counted(), disturbed+c.Disturbed()
		}
	}
	return counted, disturbed
}

// A MachineGroup is a row of the scenario on those machines that can be set
// side by side: all emulated or none, all bare metal or none, the same image,
// workload and guest kernel.
type MachineGroup struct {
	Name  msg.Message // "container", "vm, TCG (emulated)"
	Where msg.Message // "bare metal", "inside a virtual machine"
	Bytes msg.Message // which image, workload or guest kernel, where there are several; or nothing
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
	LeastMachine, LargestMachine msg.Message
}

// AcrossMachines sets runs of one scenario side by side. Runs of different
// scenarios, and one run given twice, are an error.
func AcrossMachines(runs []*results.Run) (*Machines, error) {
	all := make([]*Analysis, len(runs))
	for i, r := range runs {
		all[i] = Of(r)
	}
	return Across(all)
}

// Across is AcrossMachines for runs that were analysed, by [Of] or [Brief], and machines
// that have none.
func Across(all []*Analysis, absent ...Absent) (*Machines, error) {
	m := &Machines{Absent: absent}
	// A machine is known by its id, and if others have the same one by its name, too.
	byID, seen := map[[2]string]*Machine{}, map[string]string{}
	for _, a := range all {
		r, x := a.Run, &a.Run.Manifest
		switch {
		case m.Scenario == "":
			m.Scenario, m.Question = x.Scenario, x.Question
		case m.Scenario != x.Scenario:
			return nil, fmt.Errorf("report: %s is a run of %s, and %s of %s: only runs of one scenario can be set side by side",
				all[0].Run.Dir, m.Scenario, r.Dir, x.Scenario)
		}
		if first, twice := seen[x.ID]; twice && x.ID != "" {
			return nil, fmt.Errorf("report: %s and %s are the same run (%s); name it once", first, r.Dir, x.ID)
		}
		seen[x.ID] = r.Dir
		id := [2]string{r.Machine.ID, a.Host}
		k := byID[id]
		if k == nil || r.Machine.ID == "" {
			k = &Machine{Name: msg.T("machine.n", strconv.Itoa(len(m.Machines)+1)), Facts: r.Machine}
			m.Machines = append(m.Machines, k)
			byID[id] = k
		}
		k.Runs = append(k.Runs, a)
	}
	m.Metrics = metricsOf(all)
	m.named()
	m.group()
	m.note()
	return m, nil
}

// ownDir is a folder's name that a run has by itself, and which says nothing of a machine.
var ownDir = regexp.MustCompile(`^[0-9]{8}T[0-9]{6}Z`)

// maxName is how long a machine's name may be where it stands beside figures.
const maxName = 20

// named gives a machine the name of its folders, where all of its runs have one that no
// other machine's have: people name a class's folders after who sits there.
func (m *Machines) named() {
	of := map[string]map[*Machine]bool{}
	for _, k := range m.Machines {
		for _, a := range k.Runs {
			dir := ShortDir(a.Run.Dir)
			if of[dir] == nil {
				of[dir] = map[*Machine]bool{}
			}
			of[dir][k] = true
		}
	}
	for _, k := range m.Machines {
		dir := ShortDir(k.Runs[0].Run.Dir)
		all := !slices.ContainsFunc(k.Runs, func(a *Analysis) bool { return ShortDir(a.Run.Dir) != dir })
		if all && len(of[dir]) == 1 && len(m.Machines)+len(m.Absent) > 1 && len(dir) <= maxName && clean.Line(dir) == dir && !ownDir.MatchString(dir) && dir != m.Scenario {
			k.Name, k.Named = msg.Verbatim(dir), true
		}
	}
}

// conditions are what figures must have in common to be set side by side.
type conditions struct {
	row                     string // with its marks
	machine                 int
	image, workload, kernel string
}

func conditionsOf(a *Analysis, c *Cell) conditions {
	x := a.Run.Manifest
	k := conditions{row: c.Name.String(), machine: bareMetal, image: shortDigest(x.Image), workload: shortDigest(x.Workload)}
	if a.Run.Machine.Virtual {
		k.machine = virtual
	}
	if a.Run.Machine.Emulated {
		k.machine = emulatedMachine
	}
	if x.Environment(c.Env).Guest {
		k.kernel = shortDigest(x.Kernel)
	}
	return k
}

// What a machine is.
const (
	bareMetal = iota
	virtual
	emulatedMachine
)

func (k conditions) where() msg.Message {
	switch k.machine {
	case virtual:
		return msg.T("where.virtual")
	case emulatedMachine:
		return msg.T("where.emulated")
	}
	return msg.T("where.bare-metal")
}

// group puts the runs' rows into groups, in the order of the runs' rows.
func (m *Machines) group() {
	have := map[conditions]*MachineGroup{}
	var rows []string
	var odd msg.Gathered
	for _, k := range m.Machines {
		for _, a := range k.Runs {
			for _, c := range a.Cells {
				key := conditionsOf(a, c)
				g := have[key]
				if g == nil {
					g = &MachineGroup{Name: c.Name, Where: key.where(), TCG: c.TCG, conditions: key}
					have[key] = g
					m.Groups = append(m.Groups, g)
				}
				if !slices.Contains(rows, c.Cell.Label()) {
					rows = append(rows, c.Cell.Label())
				}
				same, others := m.alike(a, c)
				for _, name := range others {
					odd.Add(msg.Verbatim(name), k.Name)
				}
				g.Entries = append(g.Entries, MachineEntry{k, a, same})
			}
		}
	}
	slices.SortStableFunc(m.Groups, func(a, b *MachineGroup) int {
		return slices.Index(rows, a.Entries[0].Cell.Cell.Label()) - slices.Index(rows, b.Entries[0].Cell.Cell.Label())
	})
	for metric, machines := range odd.All() {
		m.Notes = append(m.Notes, msg.T("machines.other-metric", whose(machines), metric))
	}
	// Only what tells groups apart is named.
	for _, g := range m.Groups {
		var parts []msg.Message
		for _, x := range []struct {
			what msg.Message
			of   func(conditions) string
		}{
			{msg.T("image"), func(c conditions) string { return c.image }},
			{msg.T("workload"), func(c conditions) string { return c.workload }},
			{msg.T("guest-kernel"), func(c conditions) string { return c.kernel }},
		} {
			if slices.ContainsFunc(m.Groups, func(o *MachineGroup) bool {
				return o.conditions.row == g.conditions.row && o.conditions.machine == g.conditions.machine && x.of(o.conditions) != x.of(g.conditions)
			}) {
				parts = append(parts, msg.Message{Args: []any{x.what, x.of(g.conditions)}})
			}
		}
		g.Bytes = msg.Join("join.comma", parts...)
	}
}

// Many reports whether there are so many runs that not each is named.
func (m *Machines) Many() bool { return m.runs() > Many }

func (m *Machines) runs() (n int) {
	for _, k := range m.Machines {
		n += len(k.Runs)
	}
	return n
}

// BaseName is what the runs' rows are compared with.
func (m *Machines) BaseName() msg.Message {
	for _, k := range m.Machines {
		for _, a := range k.Runs {
			if a.FirstIsBase {
				return a.BaseName()
			}
		}
	}
	return msg.Verbatim(Baseline)
}

// Measured reports whether any run has a value in the group.
func (g *MachineGroup) Measured() bool {
	return slices.ContainsFunc(g.Entries, func(e MachineEntry) bool { return len(e.Cell.Samples) > 0 })
}

// Title names a group.
func (g *MachineGroup) Title() msg.Message { return msg.Join("join.comma", g.Name, g.Where, g.Bytes) }

// Spread is how far apart a group's machines lie. A machine with several runs
// counts once, with the middle of their figures. Without two machines there is
// none.
func (g *MachineGroup) Spread(f MachineFigure) (Spread, bool) {
	var machines []*Machine
	by := map[*Machine][]float64{}
	for _, e := range g.Entries {
		if iv, ok := f(e); ok {
			if by[e.Machine] == nil {
				machines = append(machines, e.Machine)
			}
			by[e.Machine] = append(by[e.Machine], iv.Point)
		}
	}
	if len(machines) < 2 {
		return Spread{}, false
	}
	var values []float64
	for _, k := range machines {
		values = append(values, stats.Median(by[k]))
	}
	iv, err := stats.MedianInterval(values)
	if err != nil {
		return Spread{}, false
	}
	s := Spread{Machines: len(machines), Least: slices.Min(values), Middle: iv.Point, Largest: slices.Max(values), Interval: iv}
	s.LeastMachine, s.LargestMachine = machines[slices.Index(values, s.Least)].Name, machines[slices.Index(values, s.Largest)].Name
	return s, true
}

// Sorted are the entries of a group that have a figure, from the least to the largest.
func (g *MachineGroup) Sorted(f MachineFigure) []MachineEntry {
	var out []MachineEntry
	at := map[*Cell]float64{}
	for _, e := range g.Entries {
		if iv, ok := f(e); ok {
			out = append(out, e)
			at[e.Cell] = iv.Point
		}
	}
	slices.SortStableFunc(out, func(a, b MachineEntry) int { return cmp.Compare(at[a.Cell], at[b.Cell]) })
	return out
}

// ShortDir is enough of a folder to know it by.
func ShortDir(dir string) string { return filepath.Base(filepath.Clean(dir)) }

// SameRow reports whether two groups are of the same row.
func (g *MachineGroup) SameRow(o *MachineGroup) bool { return g.conditions.row == o.conditions.row }
