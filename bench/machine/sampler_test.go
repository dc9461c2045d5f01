package machine

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/clock"
)

func TestTaints(t *testing.T) {
	const ms = time.Millisecond
	tests := []struct {
		name    string
		elapsed time.Duration
		after   Sample // what was counted in that time
		running int    // before it
		want    []string
	}{
		{"quiet", 2 * ms, Sample{}, 1, nil},
		{"a tick of steal in a short trial", 2 * ms, Sample{Steal: 10 * ms}, 1, []string{Steal}},
		{"one percent of steal", 4000 * ms, Sample{Steal: 80 * ms}, 1, nil},
		{"three percent of steal", 4000 * ms, Sample{Steal: 240 * ms}, 1, []string{Steal}},
		{"a fifth of the time waited", 2 * ms, Sample{Pressure: ms / 2}, 1, []string{Pressure}},
		{"a moment of it, in a very short trial", ms / 2, Sample{Pressure: ms / 6}, 1, nil},
		{"much of it, in a long trial", 4000 * ms, Sample{Pressure: 400 * ms}, 1, nil},
		{"memory was short", 20 * ms, Sample{Stall: ms}, 1, []string{Memory}},
		{"a moment of that, in a short trial", 2 * ms, Sample{Stall: ms / 10}, 1, nil},
		{"a little of it, in a long trial", 4000 * ms, Sample{Stall: 40 * ms}, 1, nil},
		{"others ran", 2 * ms, Sample{}, 3, []string{Load}},
		{"a page from swap", 2 * ms, Sample{Swaps: 1}, 1, []string{Swap}},
		{"clock set back", 2 * ms, Sample{Wall: -5 * ms}, 1, []string{ClockStep}},
		{"clock set forward", 2 * ms, Sample{Wall: time.Hour}, 1, []string{ClockStep}},
		{"clock steered", 10_000 * ms, Sample{Wall: 5 * ms}, 1, nil},
		{"laptop closed", 2 * ms, Sample{Asleep: time.Hour, Wall: time.Hour}, 1, []string{ClockStep, Suspend}},
		{"the quota was used up", 2 * ms, Sample{Throttled: 1}, 1, []string{Throttled}},
		{"memory reached the limit", 2 * ms, Sample{Limited: 3}, 1, []string{Limit}},
		{"everything", 2 * ms, Sample{Steal: ms, Pressure: ms, Swaps: 9}, 9, []string{Steal, Pressure, Load, Swap}},
		{"no time at all", 0, Sample{Steal: ms, Pressure: ms}, 1, nil},
	}
	for _, test := range tests {
		// Counters start anywhere.
		before := Sample{At: 77, Pressure: 3 * ms, Stall: ms, Steal: 5 * ms, Swaps: 8, Throttled: 5, Limited: 6, Running: test.running, Wall: time.Hour, Asleep: ms}
		after := test.after
		after.At = before.At + clock.Time(test.elapsed)
		after.Pressure += before.Pressure
		after.Stall += before.Stall
		after.Steal += before.Steal
		after.Swaps += before.Swaps
		after.Throttled += before.Throttled
		after.Limited += before.Limited
		after.Wall += before.Wall
		after.Asleep += before.Asleep
		if got := Taints(before, after, 2); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestSampler(t *testing.T) {
	tests := []struct {
		name string
		want Sample
	}{
		{"debian", Sample{Pressure: 123456 * time.Microsecond, Stall: 4321 * time.Microsecond, Swaps: 7}},
		{"hybrid", Sample{Pressure: 61335657 * time.Microsecond, Steal: 88 * time.Second}},
		{"ubuntu", Sample{Running: 1}}, // an old kernel has no pressure
		{"aws", Sample{Steal: 500 * time.Millisecond, Running: 1}},
	}
	for _, test := range tests {
		s, err := NewSampler(unpack(t, test.name))
		if err != nil {
			t.Fatal(err)
		}
		got := s.Sample()
		if d := clock.Now().Sub(got.At); d < 0 || d > time.Minute {
			t.Errorf("%s: sampled %v ago", test.name, d)
		}
		got.At, got.Wall, got.Asleep = 0, 0, 0
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: got %+v, want %+v", test.name, got, test.want)
		}
		if s.Close() != nil || s.Close() != nil {
			t.Errorf("%s: Close failed", test.name)
		}
	}
}

// TestSamplerHere: counters only grow, and a sample can still be taken where
// /proc is gone, as in a namespace of ours.
func TestSamplerHere(t *testing.T) {
	s, err := NewSampler("")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	a, b := s.Sample(), s.Sample()
	if b.At <= a.At || b.Pressure < a.Pressure || b.Steal < a.Steal || b.Swaps < a.Swaps {
		t.Errorf("went backwards: %+v, %+v", a, b)
	}
	var uptime unix.Sysinfo_t
	if err := unix.Sysinfo(&uptime); err != nil {
		t.Fatal(err)
	}
	if up := time.Duration(uptime.Uptime+1) * time.Second; a.Pressure > up {
		t.Errorf("tasks waited %v of %v", a.Pressure, up)
	}
	end := s.Guard()
	s.Step(-time.Second)
	if taints := end(); !slices.Contains(taints, ClockStep) {
		t.Errorf("a planted step of the clock isn't seen: %q", taints)
	}
	end = s.Guard()
	if taints := end(); slices.Contains(taints, ClockStep) {
		t.Error("the step is seen twice")
	}
	end = s.Guard()
	if taints := end(); taints == nil {
		t.Error("no taint is an empty list, which is written as [], not null")
	}
}

// BenchmarkSample is what a trial pays twice, outside of its clock.
func BenchmarkSample(b *testing.B) {
	s, err := NewSampler("")
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	b.ReportAllocs()
	for b.Loop() {
		s.Sample()
	}
}
