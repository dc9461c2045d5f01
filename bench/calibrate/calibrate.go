// Package calibrate judges how far the lab can be trusted on a machine: whether
// its conclusions find what isn't there, and miss what is.
//
// It measures nothing. What a trial does is in package scenarios
// (Calibration); lab calibrate makes the trials, each part into a results
// folder of its own, and hands the folders to [Judge]:
//
//	A/A       one environment under two labels, in pairs of short runs: the lab's
//	          rule (stats.Compare) may call at most 5 % of the pairs different
//	          (its own level), and half of the ratios must lie within 1 % of 1
//	blocks    the same without shuffling, for comparison: it is what the
//	          shuffling is for, and no property of the lab's own runs
//	outside   a plain process in the testbed against one outside of it
//	pairs     the same two questions to the rule of lab compare --by, which
//	          compares trial by trial within the shuffled blocks
//	family    the rule as lab run --quick uses it: of families of three rows with six
//	          trials each, all the same thing, and a fourth that they are compared
//	          with, at most 5 % may have any row called different; and a start that
//	          was slowed by half is found by six trials in such a family
//	disturbed a trial into which a disturbance was planted is marked by its name
//	          in 99 of 100, and one that was left alone in at most 2 of 100
//	planted   a start of 5 ms that was slowed by 2 % is found with 100 pairs of
//	          trials, and one slowed by 0 % isn't; where most trials were disturbed
//	          and nothing is found, that can't be told
//	in pairs  lab calibrate --paired: of sets of ten pairs of trials that are made at the
//	          same time, of one environment under two labels, at most 5 % may be called
//	          different; 2 % (of a disk 10 %) that is added to the figures of one label is
//	          found by twenty pairs; and how wide an interval is, beside that of trials
//	          made alone in the same time
//
// The thresholds are constants here: they were written down before any result.
package calibrate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"lab/bench/results"
	"lab/bench/stats"
)

// What is wanted.
const (
	MostDifferent = 0.05 // share of A/A pairs that are called different: the rule's own level
	MostOff       = 0.01 // how far the middle ratio of A/A pairs may lie from 1
	MostOutside   = 0.05 // how far the testbed may move a plain process's start
	SetSize       = 100  // pairs of trials in which a planted slowdown is to be found
	LeastFound    = 0.9  // share of the sets in which it must be
	LeastMarked   = 0.99 // share of the trials with a planted disturbance that must be marked, by its name
	MostMarked    = 0.02 // share of the trials left alone that may be marked
	MostUnplanted = 0.1  // share of the sets in which nothing planted may be found: one of ten
)

// What a first look (--quick) makes, where it makes the fewest: the family of a
// metric in lab run startup, and the trials of a row.
const (
	FamilyRows   = 3
	FamilyTrials = 6
)

// What a check can say.
const (
	Yes       = "yes"
	No        = "no"
	CantTell  = "can't tell"
	ForNotice = "for comparison"
)

// A Check is one question to the calibration, with its computed answer.
type Check struct {
	Name     string         `json:"name"`
	Question string         `json:"question"`
	Wanted   string         `json:"wanted"` // "" where nothing is wanted
	Measured string         `json:"measured"`
	Figure   stats.Interval `json:"figure"`
	Answer   string         `json:"answer"` // is it as wanted?
}

// A Pair is one short run under the label A and one under B.
type Pair struct {
	Ratio     float64 // median of B by that of A
	Different bool    // by the lab's own rule
}

// Pairs cuts two samples, in the order in which they were taken, into pairs of
// short runs of size values, and compares each as lab compare would, as one of a
// family. What is left over at the end is no pair.
func Pairs(a, b []float64, size, family int) ([]Pair, error) {
	var out []Pair
	for i := 0; i+size <= min(len(a), len(b)); i += size {
		x, y := a[i:i+size], b[i:i+size]
		c, err := stats.Compare(y, x, family)
		if err != nil {
			return nil, err
		}
		out = append(out, Pair{stats.Median(y) / stats.Median(x), c.Differs()})
	}
	return out, nil
}

// Families cuts values of one thing, in the order in which they were taken, into
// families of a first look: each of FamilyRows rows and of their baseline has
// FamilyTrials values, which are dealt out in an order shuffled from the seed, as a
// run's blocks are. It counts the families in which any row is called different.
func Families(values []float64, seed uint64) (different, all int, err error) {
	rng := rand.New(rand.NewPCG(seed, 0x66616d696c79)) // "family"
	const size = FamilyRows + 1
	for part := range slices.Chunk(values, size*FamilyTrials) {
		if len(part) < size*FamilyTrials {
			break
		}
		var rows [size][]float64
		for block := range slices.Chunk(part, size) {
			for i, at := range rng.Perm(size) {
				rows[i] = append(rows[i], block[at])
			}
		}
		found := false
		for _, row := range rows[1:] {
			c, err := stats.Compare(row, rows[0], FamilyRows)
			if err != nil {
				return 0, 0, err
			}
			found = found || c.Differs()
		}
		all++
		if found {
			different++
		}
	}
	return different, all, nil
}

// PairsOfTrials does the same with values that belong together one by one: it
// compares by the pairs, as lab compare --by does.
func PairsOfTrials(a, b []float64, size int) ([]Pair, error) {
	var out []Pair
	for i := 0; i+size <= min(len(a), len(b)); i += size {
		iv, _, err := stats.PairedRatio(b[i:i+size], a[i:i+size], 1)
		if err != nil {
			return nil, err
		}
		out = append(out, Pair{iv.Point, iv.Known() && (iv.Lo > 1 || iv.Hi < 1)})
	}
	return out, nil
}

// different counts the pairs that were called so.
func different(pairs []Pair) (stats.Interval, error) {
	k := 0
	for _, p := range pairs {
		if p.Different {
			k++
		}
	}
	return stats.Share(k, len(pairs))
}

// ratios is the median of the pairs' ratios.
func ratios(pairs []Pair) (stats.Interval, error) {
	var rs []float64
	for _, p := range pairs {
		rs = append(rs, p.Ratio)
	}
	return stats.MedianInterval(rs)
}

// Blocks are the counted values of two cells in the blocks that have one of
// either.
func Blocks(run *results.Run, env string, x, y map[string]string) (a, b []float64) {
	return inBlocks(counted(run, env, x), counted(run, env, y))
}

func inBlocks(x, y []results.Line) (a, b []float64) {
	first := map[int]float64{}
	for _, l := range x {
		first[l.Block] = *l.Value
	}
	for _, l := range y {
		if v, ok := first[l.Block]; ok {
			a, b = append(a, v), append(b, *l.Value)
		}
	}
	return a, b
}

// Values are a metric's counted values in a cell, in the order in which they
// were taken.
func Values(run *results.Run, env string, variant map[string]string) []float64 {
	var out []float64
	for _, l := range counted(run, env, variant) {
		out = append(out, *l.Value)
	}
	return out
}

func counted(run *results.Run, env string, variant map[string]string) []results.Line {
	var out []results.Line
	label := results.Label(env, variant, 1)
	for _, l := range run.Lines {
		if counts(l) && l.Label() == label {
			out = append(out, l)
		}
	}
	return out
}

// counts reports whether a line is a start's time that counts.
func counts(l results.Line) bool {
	return l.Metric == "ready" && !l.Warmup && l.Err == "" && l.Value != nil
}

// atMost answers whether a share is as small as wanted: the count itself
// decides, and where it is too large, only an interval that leaves the limit
// out says no.
func atMost(iv stats.Interval, most float64) string {
	switch {
	case iv.Point <= most:
		return Yes
	case iv.Lo > most:
		return No
	}
	return CantTell
}

// atLeast is the same for a share that is to be large.
func atLeast(iv stats.Interval, least float64) string {
	switch {
	case iv.Point >= least:
		return Yes
	case iv.Hi < least:
		return No
	}
	return CantTell
}

// around answers whether a ratio lies around 1: the whole interval decides.
func around(iv stats.Interval, off float64) string {
	switch {
	case !iv.Known():
		return CantTell
	case math.Max(math.Abs(iv.Lo-1), math.Abs(iv.Hi-1)) <= off:
		return Yes
	case iv.Lo > 1+off || iv.Hi < 1-off:
		return No
	}
	return CantTell
}

func percent(v float64) string { return fmt.Sprintf("%.3g %%", v*100) }
