package main

import (
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/probe/line"
)

// A kernel is one thing that a CPU is asked to do.
type kernel struct {
	name string
	// open takes what the kernel needs, outside of the timed section.
	open func() (*running, error)
}

// A running kernel does rounds; value turns the time of one round, in seconds,
// into what is reported: itself where nil, or a rate. close gives back what
// open took.
type running struct {
	work  func(rounds int) error
	value func(perRound float64) float64
	reset func()       // just before the section: forgets what warmed up
	check func() error // after the section: was the work done right?
	close func()
	// skip says why the kernel can't be run here; "" where it can.
	skip string
	// after adds what is told once the section is over.
	after func(*talk) error
}

// kernels in the order in which they run: pure computing first, then what asks
// more and more of the operating system.
var kernels = []kernel{
	{"integer", integer},
	{"float", float},
	{"triad", triad},
	{"chase", chase},
	{"syscall", syscalls},
	{"fault", faults},
	{"switch", switches},
	{"exec", execs},
	{"timer", timers},
	{"ipi", ipis},
}

// cpu runs the kernels, or those that only= names, each as a section that takes
// about ms milliseconds.
func cpu(t *talk, o options) error {
	ms, err := o.number("ms", 150)
	if err != nil {
		return err
	}
	budget := time.Duration(ms) * time.Millisecond
	some := kernels
	if o["only"] != "" {
		only := strings.Split(o["only"], ",")
		some = slices.DeleteFunc(slices.Concat(kernels, asked, calls, hpcc), func(k kernel) bool { return !slices.Contains(only, k.name) })
	}
	for _, k := range some {
		if err := k.run(t, budget); err != nil {
			return &kernelError{k.name, err}
		}
	}
	return nil
}

type kernelError struct {
	name string
	err  error
}

func (e *kernelError) Error() string { return e.name + ": " + e.err.Error() }

func (k kernel) run(t *talk, budget time.Duration) error {
	r, err := k.open()
	if err != nil {
		return err
	}
	if r.skip != "" {
		return t.fact(k.name, line.Pair{Key: "skip", Value: r.skip})
	}
	if r.close != nil {
		defer r.close()
	}
	m, err := newMeter(budget, r.work)
	if err != nil {
		return err
	}
	if r.reset != nil {
		r.reset()
	}
	err = t.section(k.name, func() ([]line.Pair, error) {
		before := cpuTime()
		rounds, v, err := m.run(budget)
		spent := cpuTime() - before
		if err != nil {
			return nil, err
		}
		if r.value != nil {
			v = r.value(v)
		}
		return []line.Pair{line.Number("value", v), line.Count("rounds", rounds), line.Count("cpu", spent)}, nil
	})
	if err == nil && r.check != nil {
		err = r.check()
	}
	if err == nil && r.after != nil {
		err = r.after(t)
	}
	return err
}

// cpuTime is the CPU time that this process has taken, in nanoseconds: what of a
// section is missing in it, the processor did something else, or nothing.
func cpuTime() int64 {
	var ts unix.Timespec
	unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &ts)
	return ts.Nano()
}
