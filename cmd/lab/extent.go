//go:build !lean

package main

import (
	"time"

	"github.com/spf13/pflag"

	"lab/bench/experiment"
	"lab/bench/runs"
)

// extentFlags say how long a run goes on.
type extentFlags struct {
	precision string
	maxTime   time.Duration
	strict    bool
}

func (f *extentFlags) add(fl *pflag.FlagSet) {
	fl.StringVar(&f.precision, "precision", "", "`2%`: add blocks of trials until the 95 % interval of each median is within that of it")
	fl.DurationVar(&f.maxTime, "max-time", 0, "`5m`: end the trials by then, after a whole block (default with --precision: 10m)")
	fl.BoolVar(&f.strict, "strict", false, "repeat trials that were disturbed, twice at the most")
}

// check reads them into the job; its errors are the user's.
func (f *extentFlags) check(given func(string) bool, j *runs.Job) error {
	if given("precision") {
		v, err := experiment.ParseShare(f.precision)
		if err != nil {
			return usagef("--precision: %w", err)
		}
		j.Extent.Precision = v
		j.Extent.MaxTime = 10 * time.Minute
	}
	if given("max-time") {
		if f.maxTime <= 0 {
			return usagef("--max-time %v: a time above 0; write 5m", f.maxTime)
		}
		j.Extent.MaxTime = f.maxTime
	}
	j.Extent.Strict = f.strict
	return nil
}
