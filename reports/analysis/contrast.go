package analysis

import (
	"fmt"
	"reflect"
	"slices"

	"lab/bench/results"
	"lab/bench/stats"
)

// What a contrast's row can say. Times and rates are faster or slower, other
// metrics better or worse, and those without a good direction lower or higher.
const (
	Faster        = "faster"
	Slower        = "slower"
	Better        = "better"
	Worse         = "worse"
	Lower         = "lower"
	Higher        = "higher"
	NoDifference  = "no difference found"
	TooFewTrials  = "too few trials" // no outcome would have been a difference
	NotComparable = "not comparable"
)

// A Contrast sets two runs of one scenario side by side, or two cells of one
// run: b against a.
type Contrast struct {
	A, B    string // what the two are called: folders, or "net=bridge"
	Rows    []ContrastRow
	Differs []Difference // between machines and settings
	Notes   []string     // what must be known to read the rows
	Tests   int          // rows that are compared

	AllTogether bool // all rows are one family: see Together
}

// A ContrastRow is one metric of one cell, or of two that stand against each
// other. Values are in base units.
type ContrastRow struct {
	Cell    string // "container", or "host → container"
	Metric  results.Metric
	A, B    stats.Interval // medians
	Verdict string
	Reason  string // why not comparable

	// Of b against a. Ratio is nil where a value isn't above zero.
	Difference stats.Interval
	Ratio      *stats.Interval
	Paired     bool // Ratio and P are of the trials' pairs, one a block (stats.PairedRatio); Difference has no ends then
	Effect     stats.Effect
	P          float64 // Mann-Whitney's, two-sided, of this row alone
	Family     int     // how many comparisons hold together with 95 %

	a, b    []float64    // what is compared
	pairs   [2][]float64 // by block, where each has one of either
	atLeast int          // the family that the run's own report has
}

// Compared reports whether the row has figures of b against a.
func (r ContrastRow) Compared() bool { return r.Verdict != NotComparable }

// Compare sets run b against run a, cell by cell. Runs of different scenarios
// are an error: their metrics mean different things.
func Compare(a, b *results.Run) (*Contrast, error) {
	if a.Manifest.Scenario != b.Manifest.Scenario {
		return nil, fmt.Errorf("compare: %s is a run of %s, and %s of %s: only runs of one scenario can be compared",
			a.Dir, a.Manifest.Scenario, b.Dir, b.Manifest.Scenario)
	}
	x, y := Of(a), Of(b)
	c := &Contrast{A: a.Dir, B: b.Dir, Differs: differences(a, b)}
	seen := map[*Cell]bool{}
	for _, p := range x.Cells {
		q := sameCell(p, y.Cells)
		if q == nil {
			c.note("%s has a row %s, and %s hasn't.", c.A, p.Label(), c.B)
			continue
		}
		seen[q] = true
		c.add(x, y, p, q)
	}
	for _, q := range y.Cells {
		if !seen[q] {
			c.note("%s has a row %s, and %s hasn't.", c.B, q.Label(), c.A)
		}
	}
	sides := []struct {
		name string
		a    *Analysis
	}{{c.A, x}, {c.B, y}}
	if len(c.Differs) == 0 && a.Manifest.ID == b.Manifest.ID && reflect.DeepEqual(a.Lines, b.Lines) {
		c.note("A and B are the same run: this compares it with itself.")
		sides = sides[:1]
	} else {
		c.note("The trials of the two runs weren't mixed: whatever the machine did differently between the runs is part of each ratio, and no interval knows of it.")
	}
	for _, s := range sides {
		c.disturbed(s.name, s.a)
		for _, b := range s.a.Banners() {
			c.note("%s: %s", s.name, b)
		}
	}
	c.decide()
	return c, nil
}

// CompareBy sets the cells of one run against each other that differ in by
// alone, which is "env", "n" or a variant's name: those with the value b
// against those with the value a.
func CompareBy(run *results.Run, by, a, b string) (*Contrast, error) {
	x := Of(run)
	c := &Contrast{A: by + "=" + a, B: by + "=" + b}
	if by == "env" {
		c.A, c.B = a, b
	}
	for _, p := range x.Cells {
		if value(p, by) != a {
			continue
		}
		for _, q := range x.Cells {
			if value(q, by) == b && agree(p, q, by) {
				first := len(c.Rows)
				c.add(x, x, p, q)
				for i := range c.Rows[first:] {
					r := &c.Rows[first+i]
					r.pair(run, p, q)
					r.atLeast = x.Family[r.Metric.Name]
				}
				c.Differs = append(c.Differs, settingsOf(p, q)...)
			}
		}
	}
	if len(c.Rows) == 0 {
		return nil, fmt.Errorf("compare: %s has no two rows that differ in nothing but %s, %s against %s", run.Dir, by, a, b)
	}
	if run.Manifest.Grouped > 0 {
		c.note("The trials of the rows weren't shuffled: whatever the machine did meanwhile is part of each ratio.")
	} else {
		c.note("The trials of the rows were mixed in one order shuffled from the seed %d.", run.Manifest.Seed)
	}
	c.decide()
	if slices.ContainsFunc(c.Rows, func(r ContrastRow) bool { return r.Paired }) {
		c.note("Each ratio is of the pairs of trials that one block has: the middle one, after Hodges and Lehmann, with the interval and the p-value of Wilcoxon's signed-rank test. It needn't be the ratio of the two medians.")
	}
	c.disturbed(run.Dir, x)
	for _, b := range x.Banners() {
		c.note("%s", b)
	}
	return c, nil
}

func sameCell(c *Cell, cells []*Cell) *Cell {
	for _, x := range cells {
		if x.Label() == c.Label() {
			return x
		}
	}
	return nil
}

func (c *Contrast) note(format string, args ...any) {
	c.Notes = append(c.Notes, fmt.Sprintf(format, args...))
}

func (c *Contrast) disturbed(name string, a *Analysis) {
	n, of := 0, 0
	for _, x := range a.Cells {
		n += x.Disturbed()
		of += x.Counted()
	}
	if n > 0 {
		c.note("%s: %s; they are counted.", name, disturbedOf(n, of))
	}
}
