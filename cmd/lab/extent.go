package main

import (
	"time"

	"github.com/spf13/pflag"

	"lab/bench/experiment"
	"lab/bench/runs"
	"lab/cmd/cli"
)

// extentFlags say how long a run goes on.
type extentFlags struct {
	precision string
	maxTime   time.Duration
	strict    bool
}

func (f *extentFlags) add(fl *pflag.FlagSet) {
	fl.StringVar(&f.precision, "precision", "", "`SHARE` add trials until each median's 95 % interval is within that share of it, such as 2%")
	fl.DurationVar(&f.maxTime, "max-time", 0, "`TIME` add no block of trials after that time, such as 5m (default with --precision: 10m)")
	fl.BoolVar(&f.strict, "strict", false, "repeat disturbed trials, twice at most")
}

// check reads them into the job; its errors are the user's.
func (f *extentFlags) check(given func(string) bool, j *runs.Job) error {
	if given("precision") {
		v, err := experiment.ParseShare(f.precision)
		if err != nil {
			return cli.Usagef("--precision: %w", err)
		}
		j.Extent.Precision = v
		j.Extent.MaxTime = 10 * time.Minute
	}
	if given("max-time") {
		if f.maxTime <= 0 {
			return cli.Usagef("--max-time %v: a time above 0; write 5m", f.maxTime)
		}
		j.Extent.MaxTime = f.maxTime
	}
	j.Extent.Strict = f.strict
	return nil
}
