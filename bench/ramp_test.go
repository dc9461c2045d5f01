package bench

import (
	"strings"
	"testing"
	"time"
)

// A ramp is stopped when less than half of the memory is left, and at the first wait for
// memory; not before.
func TestRamp(t *testing.T) {
	left, stall := int64(8<<30), 3*time.Second
	r := &Ramp{room: func() (int64, string, error) { return left, "this machine", nil }, stall: func() time.Duration { return stall }}
	if err := r.begin(); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		left  int64
		stall time.Duration
		want  string
	}{
		{8 << 30, 3 * time.Second, ""},
		{4 << 30, 3*time.Second + rampStall, ""},
		{4<<30 - 1, 3 * time.Second, "stopped after 16 of 100: this machine has 4095 MiB"},
		{8 << 30, 3*time.Second + 2*rampStall, "stopped after 16 of 100: programs waited 200 ms for memory"},
	} {
		left, stall = x.left, x.stall
		err := r.Check(16, 100)
		if (err == nil) != (x.want == "") || err != nil && (!strings.HasPrefix(err.Error(), x.want) || Whose(err) != BlameMachine) {
			t.Errorf("%d bytes, %v: %v, want %q", x.left, x.stall, err, x.want)
		}
	}
	if d := fullStall("some avg10=0.00 avg60=0.00 avg300=0.00 total=9\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=1500\n"); d != 1500*time.Microsecond {
		t.Errorf("%v", d)
	}
	if d := fullStall(""); d != 0 {
		t.Errorf("without a line: %v", d)
	}
	if r, err := NewRamp(); err != nil || r.floor <= 0 {
		t.Errorf("here: %+v, %v", r, err)
	}
}
