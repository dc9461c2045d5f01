package accel

import (
	"math"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"testing"
	"time"
)

func TestRate(t *testing.T) {
	const ms = 1e6
	for _, c := range []struct {
		name string
		a, b reading
		want int64
	}{
		{"2.5 GHz", reading{1000, 5 * ms, 100}, reading{1000 + 25e6, 15 * ms, 100}, 2500000},
		{"a little held up", reading{1000, 5 * ms, 100}, reading{1000 + 25e6, 15 * ms, 5000}, 0},
		{"held up", reading{1000, 5 * ms, 100}, reading{1000 + 25e6, 15 * ms, ms}, 0},
		{"doesn't count", reading{0, 5 * ms, 100}, reading{0, 15 * ms, 100}, 0},
		{"goes backwards", reading{1000, 5 * ms, 100}, reading{900, 15 * ms, 100}, 0},
		{"no time", reading{1000, 5 * ms, 0}, reading{2000, 5 * ms, 0}, 0},
	} {
		next := c.a
		got := rate(func() reading { r := next; next = c.b; return r }, 0)
		if got != c.want {
			t.Errorf("%s: %d kHz, want %d", c.name, got, c.want)
		}
	}
}

// The counter's rate is what a longer look at it finds, and near to what the kernel says
// of the processor where it says anything.
func TestTSC(t *testing.T) {
	got := TSC()
	if runtime.GOARCH != "amd64" {
		if got != 0 {
			t.Errorf("%d kHz", got)
		}
		return
	}
	if got == 0 {
		t.Skip("SKIPPED: this processor's counter has no one rate, or the machine is too busy to tell it")
	}
	a := tscAt()
	time.Sleep(100 * time.Millisecond)
	b := tscAt()
	want := float64(b.count-a.count) / float64(b.at-a.at) * 1e6
	if math.Abs(float64(got)/want-1) > 0.002 {
		t.Errorf("%d kHz, and in a longer time %.0f", got, want)
	}
	text, _ := os.ReadFile("/proc/cpuinfo")
	if m := regexp.MustCompile(`@ ([0-9.]+)GHz`).FindSubmatch(text); m != nil { // Intel's: the counter's
		if named, err := strconv.ParseFloat(string(m[1]), 64); err == nil && math.Abs(float64(got)/1e6/named-1) > 0.2 {
			t.Errorf("%d kHz, and the processor is called %s GHz", got, m[1])
		}
	}
}
