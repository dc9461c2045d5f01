package analysis

import (
	"reflect"

	"lab/bench/results"
	"lab/reports/msg"
)

// Many is from how many runs on a report across machines is about all of them, and
// names a few: nobody reads ten thousand rows.
const Many = 200

// A tally is what a cell whose trials were let go of still knows of them.
type tally struct {
	counted, failures, disturbed, warmups int
	last                                  string
}

// Brief computes what a report across machines needs of a run, and lets go of its
// trials. What is equal in an earlier run's manifest, which may be nil, is one in memory
// with that.
func Brief(run, like *results.Run) *Analysis {
	a := Of(run)
	run.Lines = nil
	if like != nil {
		share(reflect.ValueOf(&run.Manifest).Elem(), reflect.ValueOf(&like.Manifest).Elem())
		share(reflect.ValueOf(&run.Machine).Elem(), reflect.ValueOf(&like.Machine).Elem())
	}
	for i, c := range a.Cells {
		if i < len(run.Manifest.Cells) && reflect.DeepEqual(c.Cell, run.Manifest.Cells[i]) {
			c.Cell = run.Manifest.Cells[i]
		}
		c.tally = &tally{c.Counted(), c.Failures(), c.Disturbed(), c.Warmups(), c.lastError()}
		c.Made = nil
		for _, s := range c.Samples {
			s.Values, s.Groups, s.Doubts = nil, [2][]float64{}, nil
		}
	}
	a.compared, a.help, a.Verdicts, a.Pairs = nil, map[string]msg.Message{}, nil, nil
	return a
}

// share sets the fields of a struct that are equal to another one's to that one's.
func share(of, with reflect.Value) {
	for i := range of.NumField() {
		if f, w := of.Field(i), with.Field(i); f.CanSet() && reflect.DeepEqual(f.Interface(), w.Interface()) {
			f.Set(w)
		}
	}
}
