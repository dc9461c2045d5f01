package bench

import (
	"testing"
	"time"
)

func TestBusyTime(t *testing.T) {
	got, err := busyTime([]byte("cpu  100 20 30 4000 500 6 7 800 9 0\ncpu0 1 2 3\n"))
	if want := 163 * Tick; err != nil || got != want || want != 1630*time.Millisecond {
		t.Errorf("%v, %v", got, err)
	}
	for _, text := range []string{"", "cpu 1 2 3", "intr 1 2 3 4 5 6 7 8", "cpu a b c d e f g h"} {
		if got, err := busyTime([]byte(text)); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}
