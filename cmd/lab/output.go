package main

import (
	"errors"
	"os"

	"golang.org/x/term"

	"lab/bench/clean"
)

// An output is standard output or error, for what the lab itself says. Nothing
// that somebody else wrote does more there than be read, and what couldn't be
// written isn't forgotten: see lost.
type output struct {
	*clean.Writer
	file *os.File // a command of lab exec writes to it, and the progress of a run
}

func newOutput(f *os.File) *output {
	return &output{&clean.Writer{To: f, Color: term.IsTerminal(int(f.Fd()))}, f}
}

// lost adds to what became of a command that its output got lost. (Where a reader
// went away, SIGPIPE has ended the lab before.)
func (o *output) lost(err error) error {
	lost := o.Close()
	var s *statusError
	switch {
	case lost == nil:
		return err
	case errors.As(err, &s) && !errors.Is(s.err, lost):
		return &statusError{s.status, errors.Join(s.err, lost)}
	case errors.Is(err, lost):
		return err
	}
	return errors.Join(err, lost)
}
