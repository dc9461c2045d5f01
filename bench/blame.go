package bench

import (
	"context"
	"errors"
)

// Blame says who a failure is owed to. It stands beside the error of a failed
// trial, so that a reader sees at once whose fault a gap is.
type Blame string

const (
	BlameMachine  Blame = "machine"  // this machine can't, or something on it broke
	BlameLab      Blame = "lab"      // a fault of ours
	BlameWorkload Blame = "workload" // the program failed: not found, bad exit, silent
	BlameTime     Blame = "time"     // the deadline passed
)

// A BlamedError is an error that knows who is to blame.
type BlamedError struct {
	Who Blame
	Err error
}

func (e *BlamedError) Error() string { return e.Err.Error() }
func (e *BlamedError) Unwrap() error { return e.Err }

// Blamed wraps err; nil stays nil.
func Blamed(who Blame, err error) error {
	if err == nil {
		return nil
	}
	return &BlamedError{who, err}
}

// Whose finds who an error is owed to: what a BlamedError says, time for an
// ended deadline, the machine for what is unavailable, else the lab.
func Whose(err error) Blame {
	var b *BlamedError
	switch {
	case errors.As(err, &b):
		return b.Who
	case errors.Is(err, context.DeadlineExceeded):
		return BlameTime
	case errors.Is(err, ErrUnavailable), errors.Is(err, ErrNotApplicable):
		return BlameMachine
	}
	return BlameLab
}
