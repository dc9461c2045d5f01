// Package clock is the lab's one clock, and the one function that says when
// an instance is ready.
//
// Every duration in a results folder is a difference of two readings of the
// host's CLOCK_MONOTONIC, taken by [Now]. That holds for what a disposable
// thread marks, for what a child marks between clone and exec (it shares our
// memory, and makes the same system call), and for the moment at which the
// workload's first byte is seen. Nothing is timed with a guest's clock.
//
// The package is a leaf: it knows nothing of environments.
package clock

import (
	"time"

	"golang.org/x/sys/unix"
)

// Time is a reading of CLOCK_MONOTONIC, in nanoseconds since the clock's
// unspecified origin (clock_gettime(2)). Zero means "never".
type Time int64

// Now reads the clock.
func Now() Time {
	var ts unix.Timespec
	// Fails only for a clock that doesn't exist (clock_gettime(2), EINVAL).
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic("clock: no CLOCK_MONOTONIC: " + err.Error())
	}
	return Time(ts.Nano())
}

// Sub returns t-u.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t - u) }

// A Mark names a moment in an instance's start: the end of the step that it
// names. The time between two marks is the cost of the later one's step.
type Mark struct {
	Name string
	At   Time

	// Of a start that accounts for its processor time: how much it has had by then.
	CPU time.Duration
}
