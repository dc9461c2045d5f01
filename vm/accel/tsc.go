package accel

import (
	"math"
	"os"
	"sync"
	"time"

	"lab/bench/clock"
)

// TSC is the rate of the processor's time stamp counter in kHz, or 0 where it can't be
// told, or isn't one rate (the flag constant_tsc of /proc/cpuinfo). Under TCG a guest reads the same counter, and has to know its rate before it can
// go by it: it sets it beside a timer that QEMU imitates, for milliseconds, and where
// others keep the machine busy gives up, and goes by its ticks, of 4 ms, for good.
var TSC = sync.OnceValue(func() int64 {
	if b, err := os.ReadFile("/proc/cpuinfo"); err != nil || !hasFlag(string(b), "constant_tsc") {
		return 0
	}
	for range tscTries {
		if khz := rate(tscAt, tscTime); khz > 0 {
			return khz
		}
	}
	return 0
})

// How long the counter is looked at, how often, and how far off its rate may be: the
// guest goes by it as long as it lives. Where nothing holds this thread up, two readings
// are off by a hundred-thousandth of that time.
const (
	tscTime  = 10 * time.Millisecond
	tscTries = 3
	tscOff   = 1. / 10_000
)

// A reading is what the counter said, and when.
type reading struct {
	count uint64
	at    clock.Time
	off   time.Duration // at most
}

// tscAt reads the counter between two looks at the clock, until those are close to each
// other: this thread may be held up at any point.
func tscAt() reading {
	best := reading{off: math.MaxInt64}
	for range 50 {
		before := clock.Now()
		count := timestamp()
		if off := clock.Now().Sub(before); off < best.off {
			best = reading{count, before, off}
		}
	}
	return best
}

// rate is a counter's, in kHz, by two readings of it; 0 if they don't tell it as exactly as
// that, or it doesn't count.
func rate(read func() reading, apart time.Duration) int64 {
	a := read()
	time.Sleep(apart)
	b := read()
	took := b.at.Sub(a.at)
	if took <= 0 || b.count <= a.count || float64(a.off+b.off) > tscOff*float64(took) {
		return 0
	}
	return int64(math.Round(float64(b.count-a.count) / took.Seconds() / 1000))
}
