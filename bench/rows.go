package bench

import (
	"slices"
	"time"
)

// Chosen are the environments that were asked for, in the user's order, or those
// that are measured by default.
func (o Options) Chosen() []About {
	var out []About
	if len(o.Environments) == 0 {
		for _, a := range o.Known {
			if a.Default {
				out = append(out, a)
			}
		}
		return out
	}
	for _, name := range o.Environments {
		i := slices.IndexFunc(o.Known, func(a About) bool { return a.Name == name })
		if i < 0 { // whoever makes the run says that there is none
			out = append(out, About{})
			out[len(out)-1].Name = name
			continue
		}
		out = append(out, o.Known[i])
	}
	return out
}

// Counts are how many trials a scenario makes of a row: of one whose environment
// starts in milliseconds, and of a slow one, each of which takes seconds.
type Counts struct{ Full, Quick, Slow, SlowQuick Count }

// A Count is a number of trials, with the warm-ups before them.
type Count struct{ Trials, Warmup int }

// Usual is for what a scenario knows nothing better of: as many trials as an
// interval of the median needs to be a few percent wide, and under --quick just
// enough for one; or, of what is slow, for a look.
var Usual = Counts{Full: Count{20, 1}, Quick: Count{6, 0}, Slow: Count{20, 1}, SlowQuick: Count{3, 0}}

// Row is a row of an environment, with its number of trials and the time that
// one may take.
func (n Counts) Row(a About, o Options) Cell {
	c := Cell{Env: a.Name, Guest: a.Guest, Quick: o.Quick, Timeout: time.Minute}
	k := n.Full
	switch {
	case a.Slow && o.Quick:
		k = n.SlowQuick
	case a.Slow:
		k = n.Slow
	case o.Quick:
		k = n.Quick
	}
	if a.Slow {
		c.Timeout *= 3
	}
	c.Trials, c.Warmup = k.Trials, k.Warmup
	return c
}

// Rows is a row of each environment that was chosen.
func (n Counts) Rows(o Options) []Cell {
	var out []Cell
	for _, a := range o.Chosen() {
		out = append(out, n.Row(a, o))
	}
	return out
}
