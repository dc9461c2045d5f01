package bench

import (
	"testing"
	"time"
)

// A trial has the time that its environment's start takes.
func TestRowTimeout(t *testing.T) {
	for _, c := range []struct {
		about About
		want  time.Duration
	}{
		{About{}, time.Minute},
		{About{Slow: true}, 3 * time.Minute},
		{About{Slow: true, Patience: 7 * time.Minute}, 10 * time.Minute},
	} {
		if got := Usual.Row(c.about, Options{}).Timeout; got != c.want {
			t.Errorf("slow %v, patience %v: %v, want %v", c.about.Slow, c.about.Patience, got, c.want)
		}
	}
}

// A row's trials are by how long a start takes: of a distribution's boot as few as an
// interval needs, whatever the scenario makes of others.
func TestRowCounts(t *testing.T) {
	n := Counts{Full: Count{60, 3}, Quick: Count{10, 1}, Slow: Count{20, 1}, SlowQuick: Count{3, 1}}
	for _, c := range []struct {
		about About
		quick bool
		want  Count
	}{
		{About{}, false, Count{60, 3}}, {About{}, true, Count{10, 1}},
		{About{Slow: true}, false, Count{20, 1}}, {About{Slow: true}, true, Count{3, 1}},
		{About{Slow: true, Long: true}, false, Count{6, 0}}, {About{Slow: true, Long: true}, true, Count{3, 0}},
	} {
		var o Options
		o.Quick = c.quick
		if row := n.Row(c.about, o); (Count{row.Trials, row.Warmup}) != c.want {
			t.Errorf("slow %v, long %v, quick %v: %d + %d, want %v", c.about.Slow, c.about.Long, c.quick, row.Trials, row.Warmup, c.want)
		}
	}
}
