package engine

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"lab/bench/request"
	"lab/bench/results"
	"lab/bench/stats"
)

// How long a run goes on beyond its plan, or ends before it (request.Request).
//
// Precision is how wide the 95 % interval of a median may be: half of it, by the
// median. While the headline metric's is wider in a row, blocks are added to the
// plan, whole ones. The rule looks at widths alone, never at what differs, so that
// it can't go on until a difference shows. The interval's confidence then is 95 %
// in the limit of many trials.
//
// Source: Y. S. Chow, H. Robbins, On the asymptotic theory of fixed-width
// sequential confidence intervals for the mean, Annals of Mathematical Statistics
// 36 (1965) 457-462.
//
// MaxTime ends the run before the block that wouldn't be over by then. The first
// block that counts is always made.
//
// Strict repeats a disturbed trial at the end of its block; disturbed ones that
// were repeated are kept, marked, and in no figure. The last try counts, however
// disturbed.
const (
	MaxRepeats = 2      // of one trial
	MaxBlocks  = 10_000 // that count, where more are asked for than planned
)

// maxBlocks is MaxBlocks. A variable for the tests alone.
var maxBlocks = MaxBlocks

// half is half of a median's interval by the median; ok is false where there
// is no interval yet.
func half(values []float64) (h float64, ok bool) {
	iv, err := stats.MedianInterval(values)
	if err != nil || !iv.Known() || iv.Point <= 0 {
		return 0, false
	}
	return max(iv.Hi-iv.Point, iv.Point-iv.Lo) / iv.Point, true
}

// A tally keeps the headline metric's values by cell, and the blocks' times.
type tally struct {
	metric  string
	values  [][]float64 // by cell; disturbed and repeated ones left out
	blocks  int         // that were timed
	spent   time.Duration
	counted []int // by cell: trials that are neither warm-ups nor repeated
	repeat  int   // trials that were repeated

	with []string          // by cell: its partner in a run of pairs (results.Cell.With)
	rows map[int]paired    // by number: pairs of which the partner's value is to come
	x, y map[int][]float64 // by cell: its values, and its partner's of the same pairs
}

// paired is a row's value in a pair.
type paired struct {
	cell  int
	value float64
}

func newTally(m *results.Manifest) *tally {
	t := &tally{values: make([][]float64, len(m.Cells)), counted: make([]int, len(m.Cells)),
		rows: map[int]paired{}, x: map[int][]float64{}, y: map[int][]float64{}}
	for _, c := range m.Cells {
		t.with = append(t.with, c.With)
	}
	if len(m.Metrics) > 0 {
		t.metric = m.Metrics[0].Name
	}
	return t
}

// add takes a trial's value in. Several instances in one trial are one value,
// as in every table.
func (t *tally) add(cell int, lines []results.Line) {
	switch l := lines[0]; {
	case l.Repeated:
		t.repeat++
		return
	case l.Warmup:
		return
	}
	t.counted[cell]++
	var vs []float64
	for _, l := range lines {
		if l.Metric == t.metric && l.PartOf == "" && l.Stat == "" && l.Value != nil {
			vs = append(vs, *l.Value)
		}
	}
	if len(vs) == 0 {
		return
	}
	v := stats.Median(vs)
	t.values[cell] = append(t.values[cell], v)
	pair := lines[0].Pair
	if p, ok := t.rows[pair]; ok {
		delete(t.rows, pair)
		t.x[p.cell], t.y[p.cell] = append(t.x[p.cell], p.value), append(t.y[p.cell], v)
	} else if t.with[cell] != "" { // a pair's first trial
		t.rows[pair] = paired{cell, v}
	}
}

// half is half of the interval of what is reported of a cell, by its middle: of its
// median; in a run of pairs of its ratio to its partner. A partner alone has none.
func (t *tally) half(cell int) (h float64, ok bool) {
	if t.with[cell] == "" {
		return half(t.values[cell])
	}
	iv, _, err := stats.PairedRatio(t.x[cell], t.y[cell], 1)
	if err != nil || !iv.Known() {
		return 0, false
	}
	return max(iv.Hi-iv.Point, iv.Point-iv.Lo) / iv.Point, true
}

// wide lists the cells whose interval is wider than precision, with how wide
// it is.
func (t *tally) wide(m *results.Manifest, precision float64) []string {
	var out []string
	for i, c := range m.Cells {
		if c.NotRun != nil || slices.Contains(t.with, c.Label()) {
			continue
		}
		switch h, ok := t.half(i); {
		case !ok:
			out = append(out, c.Label()+" (no interval yet)")
		case h > precision:
			out = append(out, fmt.Sprintf("%s (±%.2g %%)", c.Label(), h*100))
		}
	}
	return out
}

// over says whether another block would pass the time limit.
func (t *tally) over(limit, elapsed time.Duration) bool {
	if limit == 0 || t.blocks == 0 {
		return false
	}
	return elapsed+t.spent/time.Duration(t.blocks) > limit
}

// notes is the plain word for the report: what was asked, and what came of it.
func (t *tally) notes(m *results.Manifest, x *request.Request, late bool, counted, planned int) []string {
	var out []string
	if late {
		out = append(out, fmt.Sprintf("The time of %v (--max-time) was over after %d of %d planned blocks.", x.MaxTime, min(counted, planned), planned))
		if counted >= planned {
			out[0] = fmt.Sprintf("The time of %v (--max-time) was over.", x.MaxTime)
		}
	}
	if x.Precision > 0 {
		asked := fmt.Sprintf("±%.3g %% of each median of %s (--precision)", x.Precision*100, t.metric)
		if m.Paired != nil {
			asked = fmt.Sprintf("±%.3g %% of each ratio of %s (--precision)", x.Precision*100, t.metric)
		}
		if w := t.wide(m, float64(x.Precision)); len(w) > 0 {
			why := ""
			if !late {
				why = ", the most that are made"
			}
			out = append(out, fmt.Sprintf("%s was asked for, and not reached after %d blocks%s: %s.", asked, counted, why, strings.Join(w, ", ")))
		} else {
			out = append(out, fmt.Sprintf("%s was asked for, and reached after %d blocks.", asked, counted))
		}
	}
	if x.Strict {
		out = append(out, fmt.Sprintf("Disturbed trials were repeated (--strict): %d. They are in trials.jsonl, and in no figure.", t.repeat))
	}
	return out
}
