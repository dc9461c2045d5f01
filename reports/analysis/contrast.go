package analysis

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"lab/bench/results"
	"lab/bench/stats"
	"lab/reports/msg"
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

var verdicts = map[string]string{Faster: "contrast.faster", Slower: "contrast.slower", Better: "contrast.better", Worse: "contrast.worse",
	Lower: "contrast.lower", Higher: "contrast.higher", NoDifference: "contrast.no-difference", TooFewTrials: "contrast.too-few",
	NotComparable: "contrast.not-comparable", Agrees: "reproduction.agrees", Differs: "reproduction.differs", CantTell: "reproduction.cant-tell"}

// VerdictText is what a contrast or a reproduction says of a row, for people.
func VerdictText(verdict string) msg.Message { return msg.T(verdicts[verdict]) }

// A Contrast sets two runs of one scenario side by side, or two cells of one
// run: b against a.
type Contrast struct {
	A, B    string // what the two are called: folders, or "net=bridge"
	Rows    []ContrastRow
	Differs []Difference  // between machines and settings
	Notes   []msg.Message // what must be known to read the rows
	Tests   int           // rows that are compared

	AllTogether bool // all rows are one family: see Together
}

// A ContrastRow is one metric of one cell, or of two that stand against each
// other. Values are in base units.
type ContrastRow struct {
	Cell    msg.Message // "container", or "host → container"
	Metric  results.Metric
	A, B    stats.Interval // medians
	Verdict string
	Reason  msg.Message // why not comparable

	// Of b against a. Ratio is nil where a value isn't above zero.
	Difference stats.Interval
	Ratio      *stats.Interval
	Paired     bool // Ratio and P are of the trials' pairs, one a block (stats.PairedRatio); Difference has no ends then
	Effect     stats.Effect
	P          float64 // Mann-Whitney's, two-sided, of this row alone
	Family     int     // how many comparisons hold together with 95 %

	env     string       // of a's cell
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
			c.note("contrast.row-missing", c.A, p.Label(), c.B)
			continue
		}
		seen[q] = true
		c.add(x, y, p, q)
	}
	for _, q := range y.Cells {
		if !seen[q] {
			c.note("contrast.row-missing", c.B, q.Label(), c.A)
		}
	}
	sides := []struct {
		name string
		a    *Analysis
		rows []*Cell // that are compared
	}{{c.A, x, common(x.Cells, y.Cells)}, {c.B, y, common(y.Cells, x.Cells)}}
	if len(c.Differs) == 0 && a.Manifest.ID == b.Manifest.ID && reflect.DeepEqual(a.Lines, b.Lines) {
		c.note("contrast.same-run")
		sides = sides[:1]
	} else {
		c.note("contrast.not-mixed")
	}
	for _, s := range sides {
		c.disturbed(s.name, s.rows)
		for _, b := range s.a.bannersOf(s.rows) {
			c.note("join.colon", s.name, b)
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
	var rows []*Cell
	for _, p := range x.Cells {
		if value(p, by) != a {
			continue
		}
		for _, q := range x.Cells {
			if value(q, by) == b && agree(p, q, by) {
				first := len(c.Rows)
				rows = append(rows, p, q)
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
		c.note("contrast.not-shuffled")
	} else {
		c.note("contrast.shuffled", strconv.FormatUint(run.Manifest.Seed, 10))
	}
	c.decide()
	if slices.ContainsFunc(c.Rows, func(r ContrastRow) bool { return r.Paired }) {
		c.note("contrast.paired")
	}
	c.disturbed(run.Dir, rows)
	c.Notes = append(c.Notes, x.bannersOf(rows)...)
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

func (c *Contrast) note(id string, args ...any) { c.Notes = append(c.Notes, msg.T(id, args...)) }

func (c *Contrast) disturbed(name string, rows []*Cell) {
	n, of := 0, 0
	for _, x := range rows {
		n += x.Disturbed()
		of += x.Counted()
	}
	if n > 0 {
		c.note("contrast.disturbed", name, disturbedOf(n, of))
	}
}

// common returns those of rows that others have, too.
func common(rows, others []*Cell) (out []*Cell) {
	for _, c := range rows {
		if sameCell(c, others) != nil {
			out = append(out, c)
		}
	}
	return out
}

// Reasons are why rows have no verdict, or one that isn't the report's, each once.
func (c *Contrast) Reasons() *msg.Gathered {
	var out msg.Gathered
	for _, r := range c.Rows {
		if !r.Reason.IsZero() {
			out.Add(msg.T("join.colon", VerdictText(r.Verdict), r.Reason), r.Cell)
		}
	}
	return &out
}
