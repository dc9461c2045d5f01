package results

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// A Line is one value of one trial, as it stands in trials.jsonl.
//
// A failed trial has one Line, without a value, with Err and Blame. Readers
// drop a trial whose lines don't end in one with Last: its writer was killed.
type Line struct {
	ID       string            `json:"id"` // of the run
	Scenario string            `json:"scenario"`
	Env      string            `json:"env"`
	Variant  map[string]string `json:"variant"`
	N        int               `json:"n"`                 // instances at a time
	Session  int               `json:"session,omitempty"` // which time the whole set was made, from 1 (--sessions); 0: it was made once
	Block    int               `json:"block"`             // blocks count from 0, warm-up blocks included
	Pos      int               `json:"pos"`               // place within the block's shuffled order
	Trial    int               `json:"trial"`             // the run's trials, counted from 0 in the order they were made
	Warmup   bool              `json:"warmup"`
	Metric   string            `json:"metric"`
	Value    *float64          `json:"value"` // base unit; null for a failed trial
	Unit     string            `json:"unit"`
	Better   string            `json:"better"`
	Stat     string            `json:"stat"`     // "" for a plain value, else p50, p99, …: a statistic over Samples
	Samples  int               `json:"samples"`  // how many observations Value stands for
	PartOf   string            `json:"part_of"`  // the metric that this one is a phase of
	Seq      int               `json:"seq"`      // the phase's place, or the observation's
	Instance int               `json:"instance"` // which of N
	Text     string            `json:"text"`     // what isn't a number
	Err      string            `json:"err"`
	Blame    string            `json:"blame"`
	Taint    []string          `json:"taint"`
	Repeated bool              `json:"repeated,omitempty"` // disturbed, and made once more (--strict): not in any figure
	Pair     int               `json:"pair,omitempty"`     // which pair of trials made at the same time it belongs to, from 1 (--paired); 0: it was made alone
	CPUs     string            `json:"cpus,omitempty"`     // processors that this trial of a pair was pinned to
	EnvPad   int               `json:"env_pad,omitempty"`  // bytes that the program's environment had in addition (Manifest.Layout)
	ArgvPad  int               `json:"argv_pad,omitempty"` // bytes that its argument strings had in addition
	At       float64           `json:"at"`                 // seconds from the run's beginning to the trial's
	Last     bool              `json:"last,omitempty"`
}

// Float returns the value, or NaN where there is none.
func (l Line) Float() float64 {
	if l.Value == nil {
		return math.NaN()
	}
	return *l.Value
}

// Label is what a table's row or a plot's axis calls the cell of the line.
func (l Line) Label() string { return Label(l.Env, l.Variant, l.N) }

// Label names a cell: "container", "container net=bridge", "vm accel=tcg ×4".
func Label(env string, variant map[string]string, n int) string {
	var b strings.Builder
	b.WriteString(env)
	for _, k := range slices.Sorted(maps.Keys(variant)) {
		v := variant[k]
		if strings.ContainsAny(v, " ,") { // as it is typed
			v = `"` + v + `"`
		}
		b.WriteString(" " + k + "=" + v)
	}
	if n > 1 {
		b.WriteString(" ×" + strconv.Itoa(n))
	}
	return b.String()
}

// A Sample is the distribution of one metric in one trial, a line of
// samples/METRIC.jsonl. Trials in which it stands for what trials.jsonl has as
// p50 and p99 have the same number there.
type Sample struct {
	Trial    int               `json:"trial"`
	Env      string            `json:"env"`
	Variant  map[string]string `json:"variant"`
	N        int               `json:"n"`
	Instance int               `json:"instance"`
	Warmup   bool              `json:"warmup"`
	Metric   string            `json:"metric"`
	Unit     string            `json:"unit"` // s: the buckets are of nanoseconds

	// Buckets are [index, count], from the lowest on: bench/histogram says
	// which values an index stands for.
	Buckets [][2]int64 `json:"buckets"`
}

// safeMetric keeps a metric's name from leading out of the folder: letters, digits, and
// behind the first of these _, . and - as well.
func safeMetric(name string) bool {
	const lower = "abcdefghijklmnopqrstuvwxyz0123456789"
	return name != "" && strings.Contains(lower, name[:1]) && strings.Trim(name, lower+"ABCDEFGHIJKLMNOPQRSTUVWXYZ_.-") == ""
}

// Spent is how long a run's trials took, by cell (see [Line.Label]), in
// seconds: each from its beginning to the next one's, preparation, collection
// and drawing included. Failed trials are left out, as they may end at once, and
// so is the last trial of each session, whose end isn't written down. Where a run
// was broken off and gone on with, one trial looks too short. Of a pair, which is
// made in one trial's time, each has half.
func (r *Run) Spent() map[string][]float64 {
	type begin struct {
		label          string
		trial, session int
		pair           int
		at             float64
	}
	var order []begin
	seen, bad := map[int]bool{}, map[int]bool{}
	for _, l := range r.Lines {
		if l.Err != "" {
			bad[l.Trial] = true
		}
		if !seen[l.Trial] {
			seen[l.Trial] = true
			order = append(order, begin{l.Label(), l.Trial, l.Session, l.Pair, l.At})
		}
	}
	slices.SortStableFunc(order, func(a, b begin) int { return a.trial - b.trial })
	out := map[string][]float64{}
	for i := 1; i < len(order); i++ {
		this, next := order[i-1], order[i]
		if this.pair > 0 {
			if next.pair == this.pair && i+1 < len(order) && order[i+1].session == this.session {
				if d := (order[i+1].at - this.at) / 2; d > 0 && !bad[this.trial] && !bad[next.trial] {
					out[this.label], out[next.label] = append(out[this.label], d), append(out[next.label], d)
				}
			}
			continue
		}
		if d := next.at - this.at; d > 0 && next.trial == this.trial+1 && next.session == this.session && !bad[this.trial] {
			out[this.label] = append(out[this.label], d)
		}
	}
	return out
}
