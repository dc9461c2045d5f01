package reports

import (
	"errors"
	"fmt"
	"math"

	"lab/bench/paper"
	"lab/bench/results"
	"lab/reports/analysis"
	"lab/reports/msg"
)

// PaperFrom makes a paper of a run, for whoever wants to check it elsewhere: a row for
// each metric of each row that has something to be compared with. Emulated guests have
// none. The rule is that of the direction, by a twentieth.
func PaperFrom(run *results.Run) (*paper.Suite, error) {
	a, m := analysis.Of(run), run.Manifest
	s := &paper.Suite{Format: paper.Format, App: m.App(), Title: fmt.Sprintf("%s on another machine", m.Scenario),
		Paper:   fmt.Sprintf("a results folder of lab %s, %s, of %s; %s", msg.OneLine(m.Lab), m.ID, m.Started.UTC().Format("2006-01-02"), msg.OneLine(run.Machine.CPU)),
		Minutes: map[string]int{m.Scenario: max(1, int(math.Ceil(m.Ended.Sub(m.Started).Minutes())))}}
	seen := map[string]bool{}
	env := func(name string) {
		if !seen[name] {
			seen[name] = true
			s.Env = append(s.Env, name)
		}
	}
	for _, c := range a.Cells {
		if c.Base == nil || c.NotRun != nil || c.TCG || max(c.N, 1) > 1 {
			continue
		}
		for _, x := range a.Metrics {
			of, to := c.Samples[x.Name], c.Base.Samples[x.Name]
			if _, known := paper.Units[x.Unit]; !known || x.Certain() || of == nil || to == nil || !paper.Measurable(of.Median.Point) || !paper.Measurable(to.Median.Point) {
				continue
			}
			env(c.Base.Env)
			env(c.Env)
			s.Rows = append(s.Rows, paper.Row{Name: c.Cell.Label() + ", " + x.Name,
				Published: &paper.Published{Value: of.Median.Point, Native: &to.Median.Point, Unit: x.Unit, Source: "medians of trials.jsonl"},
				Here:      &paper.Here{Scenario: m.Scenario, Metric: x.Name, Of: c.Env, OfVariant: c.Variant, To: c.Base.Env, ToVariant: c.Base.Variant},
				Agrees:    &paper.Agrees{Rule: paper.Direction, By: 0.05, Why: "what is within a twentieth is called the same"}})
		}
	}
	if s.Rows == nil {
		return nil, errors.New("no row has another one to be compared with")
	}
	return s, nil
}
