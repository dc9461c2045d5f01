package analysis

import (
	"maps"
	"slices"
	"strings"

	"lab/bench/results"
	"lab/bench/stats"
	"lab/reports/msg"
)

// Baseline is the environment that all others are compared with.
const Baseline = "host"

// A Cell is one row of every table: an environment with its variant, its
// trials, and what was computed from them.
type Cell struct {
	results.Cell
	Name    msg.Message // what rows and axes call it
	Hue     int         // its colour in plots, its environment's
	Shape   int         // its points' on a page, which tells rows of one environment apart: those that differ in the number of instances alone have the same one
	TCG     bool        // a guest under software emulation
	Whole   bool        // what is timed is a whole command
	Mark    msg.Message // that it is emulated, an unfit KVM's or a whole command; or nothing
	unreal  bool        // a guest of a machine that is itself emulated
	Made    []Trial
	Samples map[string]*Sample        // by metric; nil where nothing was measured
	Base    *Cell                     // what it is compared with, or nil
	IsBase  bool                      // others are compared with it
	texts   map[string]string         // by metric: why it has no number
	seqs    map[string]map[string]int // by whole, by part: its place in time
	tally   *tally                    // of trials that were let go of, see Brief
}

// A Trial is one execution, warm-ups and failures included.
type Trial struct {
	Number   int
	block    int
	session  int // from 1; 0: the set was made once
	layout   int // bytes that its programs' environment and arguments had in addition
	pair     int // from 1: the number that two trials made at the same time share; 0: made alone
	Warmup   bool
	Repeated bool // disturbed, and made once more
	err      string
	blame    string
	Taint    []string
	Values   map[string]float64            // one a metric
	parts    map[string]map[string]float64 // by whole, by part
}

// Failed reports whether the trial gave no values.
func (t Trial) Failed() bool { return t.err != "" }

// Counts reports whether the trial's values enter the statistics.
func (t Trial) Counts() bool { return !t.Warmup && !t.Repeated && !t.Failed() }

// A Sample is one metric's values in one cell, in the order they were taken,
// one a trial.
type Sample struct {
	Values  []float64
	Median  stats.Interval
	Against *stats.Comparison // with the baseline, or nil
	Groups  [2][]float64      // the values, where they come in two groups (dip test); else nil
	Doubts  []msg.Message
}

// Counted is how many trials entered the statistics.
func (c *Cell) Counted() int {
	if c.tally != nil {
		return c.tally.counted
	}
	return c.count(Trial.Counts)
}

// Failures is how many trials failed, warm-ups left out.
func (c *Cell) Failures() int {
	if c.tally != nil {
		return c.tally.failures
	}
	return c.count(func(t Trial) bool { return !t.Warmup && !t.Repeated && t.Failed() })
}

// Disturbed is how many of the counted trials are tainted.
func (c *Cell) Disturbed() int {
	if c.tally != nil {
		return c.tally.disturbed
	}
	return c.count(func(t Trial) bool { return t.Counts() && len(t.Taint) > 0 })
}

// disturbedIn is how many of the counted trials that have a value of a metric are
// tainted, and how many of these there are.
func (c *Cell) disturbedIn(metric string) (disturbed, of int) {
	has := func(t Trial) bool { _, ok := t.Values[metric]; return ok && t.Counts() }
	return c.count(func(t Trial) bool { return has(t) && len(t.Taint) > 0 }), c.count(has)
}

// Why is the text that trials gave in place of a metric's number, or nothing. One
// that is said of a metric is said of its statistics, "fsync p99", too.
func (c *Cell) Why(metric string) msg.Message {
	text, ok := c.texts[metric]
	if base, _, stat := strings.Cut(metric, " "); !ok && stat {
		text = c.texts[base]
	}
	if text = msg.OneLine(text); text == "" {
		return msg.Message{}
	}
	return msg.Verbatim(text)
}

// Silent reports whether the row was measured, and none of these metrics is of its
// kind: tables and pictures of them leave it out.
func (c *Cell) Silent(metrics ...string) bool {
	return c.NotRun == nil && c.Counted() > 0 && c.Failures() == 0 && len(metrics) > 0 && !slices.ContainsFunc(metrics, func(m string) bool {
		return c.Samples[m] != nil || !c.Why(m).IsZero()
	})
}

// AllFailed says that all of the row's trials failed, and with what.
func (c *Cell) AllFailed() msg.Message {
	return msg.T("all-failed.last", msg.T("trials", c.Failures()), msg.Shortened(c.lastError()))
}

// Warmups is how many warm-up trials there are.
func (c *Cell) Warmups() int {
	if c.tally != nil {
		return c.tally.warmups
	}
	return c.count(func(t Trial) bool { return t.Warmup })
}

func (c *Cell) count(is func(Trial) bool) int {
	n := 0
	for _, t := range c.Made {
		if is(t) {
			n++
		}
	}
	return n
}

// lastError is the error of the last failed trial, or "".
func (c *Cell) lastError() string {
	if c.tally != nil {
		return c.tally.last
	}
	for _, t := range slices.Backward(c.Made) {
		if t.Failed() && !t.Warmup && !t.Repeated {
			return t.err
		}
	}
	return ""
}

// emulated reports whether the manifest says that the cell ran under TCG.
func emulated(c results.Cell) bool {
	return c.Settings["accel"] == "tcg" || c.Variant["accel"] == "tcg"
}

// TCGMark stands in the label of every cell that ran under TCG.
var TCGMark = msg.T("mark.tcg")

// unfitMark stands in the label of every cell that ran under a KVM that the
// machine's probe found unfit, as --anyway has it.
var unfitMark = msg.T("mark.unfit")

// wholeMark stands in plots beside rows that aren't ranked with others. Tables say
// "not compared".
var wholeMark = msg.T("mark.whole")

func NewCell(c results.Cell) *Cell {
	x := &Cell{Cell: c, Name: msg.Verbatim(c.Label()), Samples: map[string]*Sample{}, texts: map[string]string{}, seqs: map[string]map[string]int{}}
	if emulated(c) && c.NotRun == nil {
		x.TCG, x.Mark = true, TCGMark
		x.Name = marked(x.Name, TCGMark)
	}
	return x
}

// bases finds what each row is compared with: the host's, or where the run has no
// host, or nothing else, its first row that has trials.
func (a *Analysis) bases() {
	if a.Run.Manifest.Paired != nil {
		a.FirstIsBase = true
		for _, c := range a.Cells {
			for _, b := range a.Cells {
				if c.With != "" && b.Cell.Label() == c.With {
					c.Base, b.IsBase = b, true
					a.FirstIsBase = a.FirstIsBase && b.Env != Baseline
				}
			}
		}
		return
	}
	ofHost := func(c *Cell) bool { return c.Env == Baseline }
	if slices.ContainsFunc(a.Cells, ofHost) && (len(a.Cells) == 1 || slices.ContainsFunc(a.Cells, func(c *Cell) bool { return !ofHost(c) })) {
		for _, c := range a.Cells {
			c.Base, c.IsBase = baseOf(c, a.Cells), ofHost(c)
		}
		return
	}
	a.FirstIsBase = true
	for _, c := range a.Cells {
		for _, b := range a.Cells {
			if b.NotRun == nil && b.Counted() > 0 && max(b.N, 1) == max(c.N, 1) && b.TCG == c.TCG {
				if c.IsBase = b == c; !c.IsBase {
					c.Base = b
				}
				break
			}
		}
	}
}

// BaseName is what headings call the row that others are compared with.
func (a *Analysis) BaseName() msg.Message {
	if a.FirstIsBase {
		return msg.T("base.first")
	}
	return msg.Verbatim(Baseline)
}

// baseOf finds the baseline cell that differs from c in nothing but the
// environment: the same number of instances, no setting that contradicts, and
// as many in common as can be had. It is nil for a baseline cell itself, and
// where there is none.
func baseOf(c *Cell, cells []*Cell) *Cell {
	if c.Env == Baseline {
		return nil
	}
	var best *Cell
	most := -1
	for _, b := range cells {
		if b.Env != Baseline || b.NotRun != nil || max(b.N, 1) != max(c.N, 1) {
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

// marked is a row's name with a mark behind it.
func marked(name, mark msg.Message) msg.Message { return msg.T("join.comma", name, mark) }

// Short is a row's name for a narrow column.
func (c *Cell) Short() msg.Message {
	if c.TCG {
		return marked(msg.Verbatim(c.Cell.Label()), msg.Verbatim("TCG"))
	}
	return c.Name
}

// Grouped reports whether the values come in more than one group, which one median
// describes badly.
func (s *Sample) Grouped() bool { return s != nil && s.Groups[1] != nil }

// Middles are what marks a sample in a plot: its median, or the groups'.
func (s *Sample) Middles() []float64 {
	if !s.Grouped() {
		return []float64{s.Median.Point}
	}
	return []float64{stats.Median(s.Groups[0]), stats.Median(s.Groups[1])}
}

// InGroups is where the two groups' medians are, and how many trials each has.
func (s *Sample) InGroups(unit string) msg.Message {
	q := func(g []float64) string { return msg.Quantity(stats.Median(g), unit) }
	return msg.T("groups.two", q(s.Groups[0]), msg.T("trials", len(s.Groups[0])), q(s.Groups[1]), msg.T("trials", len(s.Groups[1])))
}

// GroupsNote says of which rows one median is a bad description, or nothing.
func GroupsNote(metric string, rests ...*Cell) msg.Message {
	var who []msg.Message
	for _, c := range rests {
		if c.Samples[metric].Grouped() {
			who = append(who, c.Name)
		}
	}
	if who == nil {
		return msg.Message{}
	}
	return msg.T("groups.note", msg.And(who...))
}

// Spread takes a cell's values of a metric apart by session.
func (c *Cell) Spread(metric string) (stats.Spread, error) {
	of := map[int][]float64{} // a session's number is the file's, and may be any
	for _, t := range c.Made {
		if v, ok := t.Values[metric]; ok && t.Counts() && t.session > 0 {
			of[t.session] = append(of[t.session], v)
		}
	}
	var groups [][]float64
	for _, s := range slices.Sorted(maps.Keys(of)) {
		if s > len(groups)+1 { // of one that is missing nothing is known
			groups = append(groups, nil)
			break
		}
		groups = append(groups, of[s])
	}
	return stats.SpreadOf(groups)
}

// sessionDoubt says where sessions differ more than trials within one.
func (c *Cell) sessionDoubt(metric, title string) msg.Message {
	v, err := c.Spread(metric)
	if err != nil || v.Between <= v.Within {
		return msg.Message{}
	}
	return msg.T("doubt.sessions", c.Name, title)
}
