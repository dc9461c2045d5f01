package calibrate

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"lab/bench/results"
	"lab/bench/stats"
)

// What is wanted of pairs of trials that are made at the same time. A disk's requests
// scatter more than what a processor does: more is planted there.
const (
	PairedSet    = stats.MinPairs // pairs in a set of A/A: the fewest that are compared
	WidthSet     = 2 * PairedSet  // pairs whose interval is set beside that of as much time of trials made alone
	PlantedCPU   = 0.02           // planted into B's figures, of cpu
	PlantedDisk  = 0.1            // and of disk
	pairedMetric = "p50"          // the statistic of a distribution that is looked at
)

// A block of a calibration of pairs: the values of the two trials made at the same time,
// and of the two made alone. A value that isn't there is NaN.
type pairedBlock struct{ a, b, aloneA, aloneB float64 }

// pairedBlocks are a run's blocks by metric, in the order in which they were made. Of a
// pair that is disturbed the trials are kept, as in every run.
func pairedBlocks(run *results.Run) map[string][]pairedBlock {
	at := map[string]map[int]*pairedBlock{}
	for _, l := range run.Lines {
		if l.Warmup || l.Repeated || l.Err != "" || l.Value == nil || l.PartOf != "" || l.Stat != "" && l.Stat != pairedMetric {
			continue
		}
		name := strings.TrimSpace(l.Metric + " " + l.Stat)
		if at[name] == nil {
			at[name] = map[int]*pairedBlock{}
		}
		b := at[name][l.Block]
		if b == nil {
			b = &pairedBlock{math.NaN(), math.NaN(), math.NaN(), math.NaN()}
			at[name][l.Block] = b
		}
		for _, x := range []struct {
			label, made string
			to          *float64
		}{{"A", "in-pairs", &b.a}, {"B", "in-pairs", &b.b}, {"A", "alone", &b.aloneA}, {"B", "alone", &b.aloneB}} {
			if l.Variant["label"] == x.label && l.Variant["made"] == x.made {
				*x.to = *l.Value
			}
		}
	}
	out := map[string][]pairedBlock{}
	for name, blocks := range at {
		for _, n := range slices.Sorted(maps.Keys(blocks)) {
			if b := *blocks[n]; b.a > 0 && b.b > 0 && b.aloneA > 0 && b.aloneB > 0 { // NaN is not
				out[name] = append(out[name], b)
			}
		}
	}
	return out
}

// inPairs judges a calibration of pairs: is what is the same told from itself, is what was
// planted found, and how wide are the intervals, beside those of trials made alone in the
// same time. name is what was measured.
func inPairs(run *results.Run, name string, planted float64) ([]Check, error) {
	if run == nil {
		return nil, nil
	}
	blocks := pairedBlocks(run)
	names := slices.Sorted(maps.Keys(blocks))
	differ, sets, found, tried := 0, 0, 0, 0
	var widths []Check
	var ratios []Check
	for _, metric := range names {
		var a, b []float64
		for _, x := range blocks[metric] {
			a, b = append(a, x.a), append(b, x.b)
		}
		same, err := PairsOfTrials(a, b, PairedSet)
		if err != nil {
			return nil, fmt.Errorf("calibrate: %s: %s: %w", run.Dir, metric, err)
		}
		for _, p := range same {
			sets++
			if p.Different {
				differ++
			}
		}
		slower := slices.Clone(b)
		for i := range slower {
			slower[i] *= 1 + planted
		}
		changed, err := PairsOfTrials(a, slower, WidthSet)
		if err != nil {
			return nil, fmt.Errorf("calibrate: %s: %s: %w", run.Dir, metric, err)
		}
		for _, p := range changed {
			tried++
			if p.Different && p.Ratio > 1 {
				found++
			}
		}
		all, _, err := stats.PairedRatio(b, a, 1)
		if err != nil {
			return nil, fmt.Errorf("calibrate: %s: %s: %w", run.Dir, metric, err)
		}
		ratios = append(ratios, Check{Name: name + ", " + metric, Question: "ratio of one half of all pairs to the other",
			Wanted: "1 ± " + percent(MostOff), Figure: all, Answer: around(all, MostOff),
			Measured: fmt.Sprintf("%.4f (%.4f to %.4f), %d pairs", all.Point, all.Lo, all.Hi, all.N)})
		w, err := width(run, name, metric, blocks[metric])
		if err != nil {
			return nil, err
		}
		widths = append(widths, w)
	}
	if sets == 0 || tried == 0 {
		return nil, fmt.Errorf("calibrate: %s has no %d blocks with a pair of trials and one of either made alone", run.Dir, WidthSet)
	}
	share, err := stats.Share(differ, sets)
	if err != nil {
		return nil, err
	}
	seen, err := stats.Share(found, tried)
	if err != nil {
		return nil, err
	}
	p := Check{Name: fmt.Sprintf("%s, %s planted into B's figures", name, percent(planted)), Question: fmt.Sprintf("is it found by %d pairs?", WidthSet),
		Wanted: wantedFound, Figure: seen, Answer: atLeast(seen, LeastFound), Measured: shareOf(seen, "sets")}
	if p.Answer == No && busy(run) {
		p.Answer, p.Measured = CantTell, p.Measured+"; most trials were disturbed"
	}
	out := []Check{{Name: name + ", A/A, in pairs", Question: fmt.Sprintf("how often is it called different from itself, by %d pairs?", PairedSet),
		Wanted: "at most " + percent(MostDifferent), Figure: share, Answer: atMost(share, MostDifferent), Measured: shareOf(share, "sets") + "; by the rule alone " + percent(stats.PairsLevel(PairedSet))}, p}
	return slices.Concat(out, ratios, widths), nil
}

// width sets the interval of a set of pairs beside that of trials made alone in as much
// time: a pair takes the time of one trial, so that these are half as many of either.
// They are of every second block, and so of the same while; their interval is that of
// every run without pairs (stats.Compare).
func width(run *results.Run, name, metric string, blocks []pairedBlock) (Check, error) {
	var times, pairs, alone []float64
	for set := range slices.Chunk(blocks, WidthSet) {
		if len(set) < WidthSet {
			break
		}
		var a, b, x, y []float64
		for i, s := range set {
			a, b = append(a, s.a), append(b, s.b)
			if i%2 == 0 {
				x, y = append(x, s.aloneA), append(y, s.aloneB)
			}
		}
		p, _, err := stats.PairedRatio(b, a, 1)
		if err != nil {
			return Check{}, fmt.Errorf("calibrate: %s: %s: %w", run.Dir, metric, err)
		}
		c, err := stats.Compare(y, x, 1)
		if err != nil {
			return Check{}, fmt.Errorf("calibrate: %s: %s: %w", run.Dir, metric, err)
		}
		if c.Ratio == nil || c.Ratio.Lo <= 0 || p.Lo <= 0 || p.Hi == p.Lo {
			continue
		}
		one, two := math.Log(p.Hi/p.Lo), math.Log(c.Ratio.Hi/c.Ratio.Lo)
		times, pairs, alone = append(times, two/one), append(pairs, one), append(alone, two)
	}
	c := Check{Name: name + ", " + metric, Question: "how many times narrower is the interval of pairs than that of shuffled trials in the same time?", Answer: ForNotice, Measured: "no set of blocks"}
	if len(times) == 0 {
		return c, nil
	}
	var err error
	if c.Figure, err = stats.MedianInterval(times); err != nil {
		return c, err
	}
	c.Measured = fmt.Sprintf("%.2f × (%.2f to %.2f): ± %s by ± %s, %d sets", c.Figure.Point, c.Figure.Lo, c.Figure.Hi,
		percent(stats.Median(pairs)/2), percent(stats.Median(alone)/2), len(times))
	return c, nil
}
