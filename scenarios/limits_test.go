package scenarios

import (
	"testing"
	"time"
)

// A program that falls short of its quota is told from one from which others took.
func TestTookFrom(t *testing.T) {
	for _, x := range []struct {
		busy time.Duration
		got  float64
		want bool
	}{
		{500 * time.Millisecond, 1, false},    // alone
		{540 * time.Millisecond, 1, false},    // ticks, and the lab itself
		{time.Second, 0.65, true},             // another had the rest
		{325 * time.Millisecond, 0.65, false}, // nobody had it: the quota isn't kept
	} {
		if got := tookFrom(x.busy, 500*time.Millisecond, x.got); got != x.want {
			t.Errorf("%v busy in half a second, of which it got %g: %v", x.busy, x.got, got)
		}
	}
}
