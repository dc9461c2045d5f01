package accel

import (
	"math"
	"sync"
	"time"

	"lab/bench/clock"
)

// TSC is the rate of the processor's time stamp counter in kHz, or 0 where it can't be
// told. Under TCG a guest reads the same counter, and has to know its rate before it can
// go by it: it sets it beside a timer that QEMU imitates, for milliseconds, and where
// others keep the machine busy gives up, and goes by its ticks, of 4 ms, for good.
var TSC = sync.OnceValue(func() int64 { return rate(tscAt, tscTime) })

// tscTime is how long the counter is looked at: what two readings are off by is a
// hundred-thousandth of it.
const tscTime = 10 * time.Millisecond

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

// rate is a counter's, in kHz, by two readings of it; 0 if they don't tell it within a
// thousandth, or it doesn't count.
func rate(read func() reading, apart time.Duration) int64 {
	a := read()
	time.Sleep(apart)
	b := read()
	took := b.at.Sub(a.at)
	if took <= 0 || b.count <= a.count || max(a.off, b.off) > took/2000 {
		return 0
	}
	return int64(math.Round(float64(b.count-a.count) / took.Seconds() / 1000))
}
