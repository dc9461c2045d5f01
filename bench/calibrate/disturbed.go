package calibrate

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"lab/bench/machine"
	"lab/bench/results"
	"lab/bench/stats"
)

// marks are the taints that fit a planted disturbance: those that the kernel's
// files can show, whichever of them it has.
var marks = map[string][]string{
	"cpu":    {machine.Pressure, machine.Load},
	"memory": {machine.Memory, machine.Swap},
	"clock":  {machine.ClockStep},
}

// disturbed judges the guard by the trials that were disturbed on purpose, and
// by those that weren't.
func disturbed(run *results.Run) ([]Check, error) {
	if run == nil {
		return nil, nil
	}
	hit, all := map[string]int{}, map[string]int{}
	others := map[string]int{} // taints of trials left alone
	for _, l := range run.Lines {
		if !l.Last || l.Warmup {
			continue
		}
		what := l.Variant["disturb"]
		all[what]++
		switch {
		case what == "no" && len(l.Taint) > 0:
			hit[what]++
			for _, t := range l.Taint {
				others[t]++
			}
		case slices.ContainsFunc(l.Taint, func(t string) bool { return slices.Contains(marks[what], t) }):
			hit[what]++
		}
	}
	var out []Check
	for _, what := range []string{"cpu", "memory", "clock", "no"} {
		share, err := stats.Share(hit[what], all[what])
		if err != nil {
			return nil, fmt.Errorf("calibrate: %s: no trials with disturb=%s: %w", run.Dir, what, err)
		}
		c := Check{Name: "a planted disturbance: " + what, Question: "is it marked by its name (" + strings.Join(marks[what], ", ") + ")?",
			Wanted: "in at least " + percent(LeastMarked) + " of the trials", Measured: shareOf(share, "trials"), Figure: share, Answer: atLeast(share, LeastMarked)}
		if what == "no" {
			c.Name, c.Question = "the machine left alone", "how many trials are marked?"
			c.Wanted, c.Answer = "at most "+percent(MostMarked)+" of the trials", atMost(share, MostMarked)
			var by []string
			for _, t := range slices.Sorted(maps.Keys(others)) {
				by = append(by, fmt.Sprintf("%s %d", t, others[t]))
			}
			if by != nil {
				c.Measured += "; " + strings.Join(by, ", ")
			}
		}
		out = append(out, c)
	}
	return out, nil
}
