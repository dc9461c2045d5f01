//go:build !lean

package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"lab/bench/engine"
	"lab/bench/results"
)

// announce says in one line what will be done: all sessions of it, before the
// first, and for a run that is gone on with what is left.
func (s *supervisor) announce(cells []results.Cell) {
	j := s.job
	if j.Session > 1 {
		return
	}
	made := map[string]int{} // by cell, by an earlier process
	for _, l := range j.Done {
		if l.Last && !l.Repeated {
			made[l.Label()]++
		}
	}
	var labels []string
	var trials, warmup, done int
	var about time.Duration
	long := false
	for _, c := range cells {
		label := c.Label()
		if c.NotRun != nil {
			fmt.Fprintf(s.stderr, "lab: %s can't run: %s\n", label, reason(c.NotRun))
			continue
		}
		labels = append(labels, label)
		trials += c.Trials * j.times()
		warmup += c.Warmup * j.times()
		done += made[label]
		left := max((c.Trials+c.Warmup)*j.times()-made[label], 0)
		about += time.Duration(left) * guess(c)
		long = long || c.Expect > 0
	}
	if len(labels) == 0 {
		return
	}
	how := fmt.Sprintf("%s and %s in shuffled order", counted(trials, "trial"), counted(warmup, "warm-up"))
	if j.times() > 1 {
		how += fmt.Sprintf(", in %d sessions", j.times())
	}
	how += fmt.Sprintf(", seed %d", j.Manifest.Seed)
	if done > 0 {
		how += fmt.Sprintf("; there are %d already", done)
	}
	fmt.Fprintf(s.stderr, "lab: %s: %s; %s; %s\n", j.Scenario, strings.Join(labels, ", "), how, within(about, j.Extent, j.Before))
	if long {
		fmt.Fprintf(s.stderr, "lab: a trial takes about: %s\n", strings.Join(eachTakes(cells), ", "))
	}
}

// eachTakes words what a trial takes, by environment.
func eachTakes(cells []results.Cell) (out []string) {
	var envs []string
	least, most := map[string]time.Duration{}, map[string]time.Duration{}
	for _, c := range cells {
		if c.NotRun != nil {
			continue
		}
		d := guess(c)
		if !slices.Contains(envs, c.Env) {
			envs = append(envs, c.Env)
			least[c.Env] = d
		}
		least[c.Env], most[c.Env] = min(least[c.Env], d), max(most[c.Env], d)
	}
	for _, e := range envs {
		text := e + " " + briefly(least[e])
		if m := briefly(most[e]); m != briefly(least[e]) {
			text += " to " + m
		}
		out = append(out, text)
	}
	return out
}

// within words how long a run will take whose plan takes about d, within what
// was asked of its extent; before is what it took already.
func within(d time.Duration, x engine.Extent, before time.Duration) string {
	limit := max(x.MaxTime-before, 0)
	switch {
	case x.MaxTime > 0 && d >= limit:
		return "at most about " + roughly(limit)
	case x.Precision > 0 && x.MaxTime > 0:
		return fmt.Sprintf("about %s, and up to %s for --precision", roughly(d), roughly(limit))
	}
	return "about " + roughly(d)
}

func reason(n *results.NotRun) string {
	if n.Cure == "" {
		return n.Reason
	}
	return n.Reason + "; " + n.Cure
}

// guess is how long a trial of the cell may take, before any was made: the start
// and the end of its instances, and what the scenario expects of the rest. An
// emulated guest boots in 1 s on one machine and in 3 on another.
func guess(c results.Cell) time.Duration {
	start := 4 * time.Millisecond
	switch c.Settings["accel"] {
	case "tcg":
		start = 1700 * time.Millisecond
	case "kvm":
		start = time.Second
	}
	return time.Duration(max(c.N, 1))*start + time.Duration(c.Expect*float64(time.Second))
}

// counted is a number of things in words.
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
