package bench

import (
	"context"
	"strings"
	"sync"

	"lab/bench/results"
)

// A Duet is two trials that are made at the same time, so that what the machine does
// meanwhile happens to both, and is no difference between them.
//
// Source: L. Bulej, V. Horký, P. Tůma, F. Farquet, A. Prokopec, Duet benchmarking:
// improving measurement accuracy in the cloud, ICPE 2020, pages 100-107.
type Duet struct {
	meet, left chan struct{}
	once       sync.Once
}

// NewDuet makes one.
func NewDuet() *Duet { return &Duet{meet: make(chan struct{}), left: make(chan struct{})} }

// Leave says that one of the two has ended: the other waits for it no more.
func (d *Duet) Leave() { d.once.Do(func() { close(d.left) }) }

// Meet waits until the other trial of the pair is at its own next Meet: what each does
// next begins together. It returns at once if the trial is alone, or the other one has
// ended. A probe's sections begin so.
func (t *T) Meet(ctx context.Context) error {
	d := t.plan.Duet
	if d == nil {
		return nil
	}
	// One of the two sends, the other receives.
	to, from := d.meet, d.meet
	if t.plan.Side == 0 {
		from = nil
	} else {
		to = nil
	}
	select {
	case to <- struct{}{}:
	case <-from:
	case <-d.left:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// Pads are the most bytes by which a program's environment and its arguments are made
// longer in a trial (results.Layout): a page of the one, as T. Mytkowicz and others did
// in steps of 16 bytes, and of the other as much as the names of folders differ.
var Pads = results.Layout{Env: 4095, Argv: 63}

// PadName is the variable that makes an environment longer.
const PadName = "PADDING"

// padded is a Spec whose program has the trial's environment and arguments. Its bytes
// are the same, and so is what it is told: no program asks for that variable, and
// "//bin/probe" is /bin/probe. What isn't a path stays, and so do the strings of a guest's
// PID 1, for which the kernel's command line has no room.
func (t *T) padded(s Spec) Spec {
	l := &t.plan.Line
	if !t.plan.Layout || t.plan.Asked.Guest && !s.Init || len(s.Command.Argv) == 0 {
		return s
	}
	c := &s.Command
	c.Env = append(c.Env[:len(c.Env):len(c.Env)], PadName+"="+strings.Repeat("x", l.EnvPad))
	if rest, ok := strings.CutPrefix(c.Argv[0], "/"); ok {
		c.Argv = append([]string{strings.Repeat("/", l.ArgvPad+1) + rest}, c.Argv[1:]...)
	}
	return s
}
