package calibrate

import (
	"cmp"
	"fmt"
	"slices"

	"lab/bench/results"
	"lab/bench/stats"
)

// Outside is the name of the environment whose starts were made outside of the
// testbed, in the folder of the part that compares the two.
const Outside = "outside"

// Parts are a calibration's folders; one that is nil gives no checks.
type Parts struct {
	Shuffled, Blocks, Planted, Outside, Disturbed *results.Run
	PairedCPU, PairedDisk                         *results.Run // of lab calibrate --paired
	ShortRun                                      int          // trials in a short run
}

// Judge answers all questions that the parts can.
func Judge(p Parts) ([]Check, error) {
	var out []Check
	for _, f := range []func() ([]Check, error){
		func() ([]Check, error) { return same(p.Shuffled, p.ShortRun, true) },
		func() ([]Check, error) { return same(p.Blocks, p.ShortRun, false) },
		func() ([]Check, error) { return outside(p.Outside) },
		func() ([]Check, error) { return planted(p.Planted) },
		func() ([]Check, error) { return disturbed(p.Disturbed) },
		func() ([]Check, error) { return inPairs(p.PairedCPU, "cpu", PlantedCPU) },
		func() ([]Check, error) { return inPairs(p.PairedDisk, "disk", PlantedDisk) },
	} {
		c, err := f()
		if err != nil {
			return nil, err
		}
		out = append(out, c...)
	}
	if p.Disturbed != nil && p.Shuffled == nil { // its trials were disturbed on purpose
		return out, nil
	}
	return append(out, quiet(p.Shuffled, p.Blocks, p.Planted, p.Outside, p.PairedCPU, p.PairedDisk)), nil
}

const meanwhile = "the machine meanwhile"

// busy reports whether most of a run's trials were disturbed: what isn't found then
// may be the machine's doing.
func busy(run *results.Run) bool { return quiet(run).Figure.Point > 0.5 }

// quiet counts the trials that the machine disturbed: on a noisy one small
// differences can't be found, and the answers say so.
func quiet(runs ...*results.Run) Check {
	disturbed, all := 0, 0
	for _, run := range runs {
		if run == nil {
			continue
		}
		for _, l := range run.Lines {
			if l.Last {
				all++
				if len(l.Taint) > 0 {
					disturbed++
				}
			}
		}
	}
	c := Check{Name: meanwhile, Question: "how many trials were disturbed?", Answer: ForNotice, Measured: "no trials"}
	if share, err := stats.Share(disturbed, all); err == nil {
		c.Figure, c.Measured = share, shareOf(share, "trials")
	}
	return c
}

// same judges an environment against itself.
func same(run *results.Run, size int, shuffled bool) ([]Check, error) {
	if run == nil {
		return nil, nil
	}
	var out []Check
	for _, env := range environments(run) {
		pairs, err := Pairs(Values(run, env, map[string]string{"label": "A"}),
			Values(run, env, map[string]string{"label": "B"}), size, 1)
		if err != nil || len(pairs) == 0 {
			return nil, fmt.Errorf("calibrate: %s: %s under two labels has no pairs of %d trials (%v)", run.Dir, env, size, err)
		}
		share, err := different(pairs)
		if err != nil {
			return nil, err
		}
		ratio, err := ratios(pairs)
		if err != nil {
			return nil, err
		}
		how := "shuffled"
		if !shuffled {
			how = "one after the other"
		}
		a := Check{
			Name: env + ", A/A, " + how, Question: "how often is it called different from itself?",
			Wanted: "at most " + percent(MostDifferent), Figure: share, Answer: atMost(share, MostDifferent),
			Measured: shareOf(share, "pairs"),
		}
		b := Check{
			Name: a.Name, Question: "middle ratio of its medians to its own",
			Wanted: "1 ± " + percent(MostOff), Figure: ratio, Answer: around(ratio, MostOff),
			Measured: fmt.Sprintf("%.4f (%.4f to %.4f)", ratio.Point, ratio.Lo, ratio.Hi),
		}
		if !shuffled {
			a.Wanted, a.Answer, b.Wanted, b.Answer = "", ForNotice, "", ForNotice
		}
		out = append(out, a)
		if shuffled {
			c, err := byPairs(run, env, size, a)
			if err != nil {
				return nil, err
			}
			f, err := byFamilies(run, env, a)
			if err != nil {
				return nil, err
			}
			out = append(out, c, f)
		}
		out = append(out, b)
	}
	return out, nil
}

// byPairs asks the same as a does of the rule that compares block by block.
func byPairs(run *results.Run, env string, size int, a Check) (Check, error) {
	x, y := Blocks(run, env, map[string]string{"label": "A"}, map[string]string{"label": "B"})
	pairs, err := PairsOfTrials(x, y, size)
	if err != nil {
		return a, fmt.Errorf("calibrate: %s: %w", run.Dir, err)
	}
	share, err := different(pairs)
	if err != nil {
		return a, fmt.Errorf("calibrate: %s: %w", run.Dir, err)
	}
	a.Question = "and by pairs of trials of one block?"
	a.Figure, a.Answer, a.Measured = share, atMost(share, MostDifferent), shareOf(share, "pairs")
	return a, nil
}

// byFamilies asks the same of the rule as a first look uses it.
func byFamilies(run *results.Run, env string, a Check) (Check, error) {
	var values []float64 // of both labels, in the order in which they were taken
	for _, l := range run.Lines {
		if l.Env == env && counts(l) {
			values = append(values, *l.Value)
		}
	}
	k, n, err := Families(values, run.Manifest.Seed)
	a.Question = fmt.Sprintf("and as --quick: in how many families of %d rows with %d trials is any called different?", FamilyRows, FamilyTrials)
	if err == nil && n == 0 {
		a.Figure, a.Measured, a.Answer = stats.Interval{}, "too few trials for a family", CantTell
		return a, nil
	}
	share, err2 := stats.Share(k, n)
	if err = cmp.Or(err, err2); err != nil {
		return a, fmt.Errorf("calibrate: %s: %w", run.Dir, err)
	}
	a.Figure, a.Answer, a.Measured = share, atMost(share, MostDifferent), shareOf(share, "families")
	return a, nil
}

func shareOf(s stats.Interval, what string) string {
	return fmt.Sprintf("%.0f of %d %s, %s (%s to %s)", s.Point*float64(s.N), s.N, what, percent(s.Point), percent(s.Lo), percent(s.Hi))
}

// environments are those of a run that has trials, in its order.
func environments(run *results.Run) []string {
	var out []string
	for _, c := range run.Manifest.Cells {
		if c.NotRun == nil && !slices.Contains(out, c.Env) {
			out = append(out, c.Env)
		}
	}
	return out
}

func outside(run *results.Run) ([]Check, error) {
	if run == nil {
		return nil, nil
	}
	in, out := Values(run, "host", nil), Values(run, Outside, nil)
	compared, err := stats.Compare(in, out, 1)
	if err == nil && compared.Ratio == nil {
		err = stats.ErrNotPositive
	}
	if err != nil {
		return nil, fmt.Errorf("calibrate: %s: host in and outside of the testbed: %w", run.Dir, err)
	}
	ratio := *compared.Ratio
	checks := []Check{{
		Name: "host, in the testbed by outside", Question: "does the testbed change how a plain process starts?",
		Wanted: "1 ± " + percent(MostOutside), Figure: ratio, Answer: around(ratio, MostOutside),
		Measured: fmt.Sprintf("%.3f (%.3f to %.3f), %.0f µs by %.0f µs, %d starts each",
			ratio.Point, ratio.Lo, ratio.Hi, stats.Median(in)*1e6, stats.Median(out)*1e6, ratio.N),
	}}
	// Start by start: what the machine did to both of a pair drops out.
	a, b := inBlocks(counted(run, "host", nil), counted(run, Outside, nil))
	if len(a) < stats.MinPairs {
		return checks, nil
	}
	paired, _, err := stats.PairedRatio(a, b, 1)
	if err != nil {
		return nil, fmt.Errorf("calibrate: %s: host in and outside of the testbed, by pairs: %w", run.Dir, err)
	}
	c := checks[0]
	c.Question, c.Figure, c.Answer = "and by pairs of starts of one block?", paired, around(paired, MostOutside)
	c.Measured = fmt.Sprintf("%.3f (%.3f to %.3f), %d pairs", paired.Point, paired.Lo, paired.Hi, len(a))
	return append(checks, c), nil
}

// planted judges the slowed starts, in sets of pairs of trials. That one wasn't
// found says nothing of the rule where most trials were disturbed.
func planted(run *results.Run) ([]Check, error) {
	out, err := plantedSets(run)
	for i, c := range out {
		if c.Answer == No && c.Wanted == wantedFound && busy(run) {
			out[i].Answer, out[i].Measured = CantTell, c.Measured+"; most trials were disturbed"
		}
	}
	return out, err
}

// wantedFound is what is wanted of a start that was slowed.
var wantedFound = fmt.Sprintf("in at least %s of the sets", percent(LeastFound))

func plantedSets(run *results.Run) ([]Check, error) {
	if run == nil {
		return nil, nil
	}
	base := Values(run, "host", map[string]string{"slowed": "no"})
	var out []Check
	for _, slowed := range []string{"2%", "0%"} {
		x, y := Blocks(run, "host", map[string]string{"slowed": "no"}, map[string]string{"slowed": slowed})
		pairs, err := PairsOfTrials(x, y, SetSize)
		if err != nil || len(pairs) == 0 {
			return nil, fmt.Errorf("calibrate: %s: no set of %d pairs slowed by %s (%v)", run.Dir, SetSize, slowed, err)
		}
		heaps, err := Pairs(x, y, SetSize, 1)
		if err != nil {
			return nil, err
		}
		name := "a start of " + fmt.Sprintf("%.1f ms", stats.Median(base)*1e3) + ", slowed by " + slowed
		for _, rule := range []struct {
			question string
			sets     []Pair
		}{
			{fmt.Sprintf("is it found by %d pairs of trials of one block?", SetSize), pairs},
			{fmt.Sprintf("and by the medians of %d trials each?", SetSize), heaps},
		} {
			share, err := different(rule.sets)
			if err != nil {
				return nil, err
			}
			ratio, err := ratios(rule.sets)
			if err != nil {
				return nil, err
			}
			c := Check{Name: name, Question: rule.question, Figure: share,
				Wanted: wantedFound, Answer: atLeast(share, LeastFound),
				Measured: fmt.Sprintf("in %.0f of %d sets; ratio %.4f", share.Point*float64(share.N), share.N, ratio.Point)}
			if slowed == "0%" {
				c.Wanted, c.Answer = fmt.Sprintf("in at most %s of the sets", percent(MostUnplanted)), atMost(share, MostUnplanted)
			}
			out = append(out, c)
		}
	}
	x, y := Blocks(run, "host", map[string]string{"slowed": "no"}, map[string]string{"slowed": "50%"})
	sets, err := Pairs(x, y, FamilyTrials, FamilyRows)
	if err != nil || len(sets) == 0 { // an earlier lab's folder has no such starts
		return out, err
	}
	share, err := different(sets)
	if err != nil {
		return nil, err
	}
	return append(out, Check{Name: fmt.Sprintf("a start of %.1f ms, slowed by 50%%", stats.Median(base)*1e3), Figure: share,
		Question: fmt.Sprintf("is it found as in --quick, by %d trials in a family of %d rows?", FamilyTrials, FamilyRows),
		Wanted:   wantedFound, Answer: atLeast(share, LeastFound),
		Measured: shareOf(share, "sets")}), nil
}
