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
