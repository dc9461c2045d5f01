//go:build !lean

package main

import (
	"fmt"
	"strings"
	"time"

	"lab/bench/results"
)

// announce says in one line what will be done.
func (s *supervisor) announce(cells []results.Cell) {
	var labels []string
	trials, warmup := 0, 0
	var about time.Duration
	var each []string // what a trial takes
	long := false
	for _, c := range cells {
		if c.NotRun != nil {
			fmt.Fprintf(s.stderr, "lab: %s can't run: %s\n", c.Label(), reason(c.NotRun))
			continue
		}
		labels = append(labels, c.Label())
		trials += c.Trials
		warmup += c.Warmup
		about += time.Duration(c.Trials+c.Warmup) * guess(c)
		each = append(each, fmt.Sprintf("%s %s", c.Label(), roughly(guess(c))))
		long = long || c.Expect > 0
	}
	if len(labels) == 0 {
		return
	}
	fmt.Fprintf(s.stderr, "lab: %s: %s; %d trials and %s in shuffled order, seed %d; about %s\n",
		s.job.Scenario, strings.Join(labels, ", "), trials, warmups(warmup), s.job.Manifest.Seed, roughly(about))
	if long {
		fmt.Fprintf(s.stderr, "lab: a trial takes about: %s\n", strings.Join(each, ", "))
	}
}

func reason(n *results.NotRun) string {
	if n.Cure == "" {
		return n.Reason
	}
	return n.Reason + "; " + n.Cure
}

// guess is how long a trial of the cell may take, before any was made: its
// start, and what the scenario expects of the rest.
func guess(c results.Cell) time.Duration {
	rest := time.Duration(c.Expect * float64(time.Second))
	switch c.Settings["accel"] {
	case "tcg":
		return 2*time.Second + rest
	case "kvm":
		return time.Second + rest
	}
	return 4*time.Millisecond + rest
}

// warmups counts them in words.
func warmups(n int) string {
	if n == 1 {
		return "1 warm-up"
	}
	return fmt.Sprintf("%d warm-ups", n)
}
