package engine

import (
	"context"
	"fmt"
	"strings"
	"time"

	"lab/bench"
	"lab/bench/results"
)

// grace is how long a trial whose deadline passed may take to close what it
// opened. A variable for the tests alone.
var grace = 10 * time.Second

// mostText is how many bytes a trial's text has at the most.
const mostText = 8 << 10

// runTrial executes a cell once. It returns the lines of the trial, and its
// distributions: its values, or the one line of a failure. Nil lines mean that
// the trial was given up because ctx ended, which is nobody's failure.
func runTrial(ctx context.Context, s *bench.Scenario, p bench.TrialPlan, metrics map[string]results.Metric) ([]results.Line, []results.Sample) {
	tctx, cancel := context.WithTimeout(ctx, p.Asked.Timeout)
	defer cancel()
	t := bench.NewT(p, metrics)
	done := make(chan error, 1)
	go func() {
		c := p.Asked
		c.Env, c.Variant, c.N = p.Cell.Env, p.Cell.Variant, p.Cell.N
		err := s.Trial(tctx, t, c)
		if cerr := t.CloseAll(); err == nil {
			err = cerr
		}
		done <- err
	}()
	var err error
	select {
	case err = <-done:
	case <-tctx.Done():
		// It was told to end; what doesn't in time is stuck, and the run goes
		// on without it.
		late := time.NewTimer(grace)
		defer late.Stop()
		select {
		case err = <-done:
		case <-late.C:
			if ctx.Err() != nil {
				return nil, nil
			}
			// What it recorded stays its own: it may still be writing there.
			err = bench.Blamed(bench.BlameLab, fmt.Errorf("the trial didn't end %v after its deadline of %v", grace, p.Asked.Timeout))
			return []results.Line{failed(p.Line, err)}, nil
		}
	}
	if ctx.Err() != nil {
		return nil, nil
	}
	if err == nil && tctx.Err() != nil {
		err = tctx.Err()
	}
	r := t.Recorded()
	if err == nil && len(r.Lines) == 0 {
		err = bench.Blamed(bench.BlameLab, fmt.Errorf("the trial recorded nothing"))
	}
	for i := range r.Lines {
		l := &r.Lines[i]
		if l.Value != nil && !results.Measurable(*l.Value) && err == nil { // a program inside may say that
			err = bench.Blamed(bench.BlameWorkload, fmt.Errorf("%s is %v, which is no measurement", l.Metric, *l.Value))
		}
		l.Text = cut(l.Text)
	}
	if err != nil {
		return []results.Line{failed(p.Line, err)}, nil
	}
	for i := range r.Lines {
		r.Lines[i].Taint = append([]string{}, r.Taint...)
	}
	return r.Lines, r.Samples
}

func failed(l results.Line, err error) results.Line {
	l.Err, l.Blame = cut(err.Error()), string(bench.Whose(err))
	return l
}

// cut leaves out the rest of what a program inside said at too great length: a line of
// the results has its bound.
func cut(s string) string {
	if len(s) <= mostText {
		return s
	}
	return strings.ToValidUTF8(s[:mostText], "") + "…"
}
