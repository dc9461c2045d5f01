package cli

import (
	"errors"
	"os"

	"golang.org/x/term"

	"lab/bench/clean"
)

// An Output is standard output or error, for what the lab itself says. Nothing
// that somebody else wrote does more there than be read, and what couldn't be
// written isn't forgotten: see lost.
type Output struct {
	*clean.Writer
	File *os.File // a command of lab exec writes to it, and the progress of a run
}

func newOutput(f *os.File) *Output {
	return &Output{&clean.Writer{To: f, Color: term.IsTerminal(int(f.Fd()))}, f}
}

// lost adds to what became of a command that its output got lost. (Where a reader
// went away, SIGPIPE has ended the lab before.)
func (o *Output) lost(err error) error {
	lost := o.Close()
	var s *StatusError
	switch {
	case lost == nil:
		return err
	case errors.As(err, &s) && !errors.Is(s.Err, lost):
		return &StatusError{s.Status, errors.Join(s.Err, lost)}
	case errors.Is(err, lost):
		return err
	}
	return errors.Join(err, lost)
}
