package main

import (
	"fmt"

	"lab/bench/results"
)

// report draws what was measured.
func (s *supervisor) report() error {
	run, err := results.Read(s.dir)
	if err != nil {
		return err
	}
	for _, l := range run.Lines {
		if l.Err != "" {
			fmt.Fprintln(s.stderr, l.Env, l.Err)
		}
		if l.Value != nil && !l.Warmup && l.PartOf == "" {
			fmt.Fprintf(s.stdout, "%-10s %-6s %.3f ms\n", l.Env, l.Metric, *l.Value*1e3)
		}
	}
	fmt.Fprintln(s.stdout, "report:", s.dir)
	return nil
}
