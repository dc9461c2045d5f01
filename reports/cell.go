package reports

import (
	"slices"
	"strings"

	"lab/bench/results"
	"lab/bench/stats"
)

// baseline is the environment that all others are compared with.
const baseline = "host"

// A cell is one row of every table: an environment with its variant, its
// trials, and what was computed from them.
type cell struct {
	results.Cell
	label   string // what rows and axes call it
	hue     int    // its colour in plots: cells that differ in the number of instances alone have the same one
	tcg     bool   // a guest under software emulation
	unreal  bool   // a guest of a machine that is itself emulated
	trials  []trial
	samples map[string]*sample        // by metric; nil where nothing was measured
	base    *cell                     // what it is compared with, or nil
	isBase  bool                      // others are compared with it
	texts   map[string]string         // by metric: why it has no number
	seqs    map[string]map[string]int // by whole, by part: its place in time
}

// A trial is one execution, warm-ups and failures included.
type trial struct {
	number  int
	block   int
	session int // from 1; 0: the set was made once
	warmup  bool
	again   bool // disturbed, and made once more
	err     string
	blame   string
	taint   []string
	values  map[string]float64            // one a metric
	parts   map[string]map[string]float64 // by whole, by part
}

// failed reports whether the trial gave no values.
func (t trial) failed() bool { return t.err != "" }

// counts reports whether the trial's values enter the statistics.
func (t trial) counts() bool { return !t.warmup && !t.again && !t.failed() }

// A sample is one metric's values in one cell, in the order they were taken,
// one a trial.
type sample struct {
	values  []float64
	median  stats.Interval
	against *stats.Comparison // with the baseline, or nil
	groups  [2][]float64      // the values, where they come in two groups (dip test); else nil
	doubts  []string
}

// counted is how many trials entered the statistics.
func (c *cell) counted() int { return c.count(trial.counts) }

// failures is how many trials failed, warm-ups left out.
func (c *cell) failures() int {
	return c.count(func(t trial) bool { return !t.warmup && !t.again && t.failed() })
}

// disturbed is how many of the counted trials are tainted.
func (c *cell) disturbed() int {
	return c.count(func(t trial) bool { return t.counts() && len(t.taint) > 0 })
}

// disturbedIn is how many of the counted trials that have a value of a metric are
// tainted, and how many of these there are.
func (c *cell) disturbedIn(metric string) (disturbed, of int) {
	has := func(t trial) bool { _, ok := t.values[metric]; return ok && t.counts() }
	return c.count(func(t trial) bool { return has(t) && len(t.taint) > 0 }), c.count(has)
}

// why is the text that trials gave in place of a metric's number, or "". One that
// is said of a metric is said of its statistics, "fsync p99", too.
func (c *cell) why(metric string) string {
	text, ok := c.texts[metric]
	if base, _, stat := strings.Cut(metric, " "); !ok && stat {
		text = c.texts[base]
	}
	return oneLine(text)
}

// warmups is how many warm-up trials there are.
func (c *cell) warmups() int { return c.count(func(t trial) bool { return t.warmup }) }

func (c *cell) count(is func(trial) bool) int {
	n := 0
	for _, t := range c.trials {
		if is(t) {
			n++
		}
	}
	return n
}

// lastError is the error of the last failed trial, or "".
func (c *cell) lastError() string {
	for _, t := range slices.Backward(c.trials) {
		if t.failed() && !t.warmup && !t.again {
			return t.err
		}
	}
	return ""
}

// emulated reports whether the manifest says that the cell ran under TCG.
func emulated(c results.Cell) bool {
	return c.Settings["accel"] == "tcg" || c.Variant["accel"] == "tcg"
}

// tcgMark stands in the label of every cell that ran under TCG.
const tcgMark = "TCG (emulated)"

// unfitMark stands in the label of every cell that ran under a KVM that the
// machine's probe found unfit, as --anyway has it.
const unfitMark = "KVM (unfit)"

func newCell(c results.Cell) *cell {
	x := &cell{Cell: c, label: c.Label(), samples: map[string]*sample{}, texts: map[string]string{}, seqs: map[string]map[string]int{}}
	if emulated(c) && c.NotRun == nil {
		x.tcg = true
		x.label += ", " + tcgMark
	}
	return x
}

// bases finds what each row is compared with: the host's, or where the run has no
// host, or nothing else, its first row that has trials.
func (a *analysis) bases() {
	ofHost := func(c *cell) bool { return c.Env == baseline }
	if slices.ContainsFunc(a.cells, ofHost) && (len(a.cells) == 1 || slices.ContainsFunc(a.cells, func(c *cell) bool { return !ofHost(c) })) {
		for _, c := range a.cells {
			c.base, c.isBase = baseOf(c, a.cells), ofHost(c)
		}
		return
	}
	a.firstIsBase = true
	for _, c := range a.cells {
		for _, b := range a.cells {
			if b.NotRun == nil && b.counted() > 0 && max(b.N, 1) == max(c.N, 1) && b.tcg == c.tcg {
				if c.isBase = b == c; !c.isBase {
					c.base = b
				}
				break
			}
		}
	}
}

// baseName is what headings call the row that others are compared with.
func (a *analysis) baseName() string {
	if a.firstIsBase {
		return "the first row"
	}
	return baseline
}

// baseOf finds the baseline cell that differs from c in nothing but the
// environment: the same number of instances, no setting that contradicts, and
// as many in common as can be had. It is nil for a baseline cell itself, and
// where there is none.
func baseOf(c *cell, cells []*cell) *cell {
	if c.Env == baseline {
		return nil
	}
	var best *cell
	most := -1
	for _, b := range cells {
		if b.Env != baseline || b.NotRun != nil || max(b.N, 1) != max(c.N, 1) {
			continue
		}
		common, contradicts := 0, false
		for k, v := range b.Variant {
			switch w, ok := c.Variant[k]; {
			case ok && w == v:
				common++
			case ok:
				contradicts = true
			}
		}
		if !contradicts && common > most {
			best, most = b, common
		}
	}
	return best
}
