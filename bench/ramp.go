package bench

import (
	"fmt"
	"strings"
	"time"

	"os"
)

// A Ramp watches the machine while a trial takes more and more of it, so that it is
// stopped before anybody else is short of memory. That such a trial fits is looked at
// before the run; what others take meanwhile isn't known then.
type Ramp struct {
	floor   int64         // bytes that stay available
	stalled time.Duration // at the beginning

	room  func() (left int64, whose string, err error)
	stall func() time.Duration // for how long nothing could go on for want of memory, since boot; 0: not counted
}

// The bounds of a Ramp.
const (
	rampFloor = 2                      // what part of the memory that was available has to stay
	rampStall = 100 * time.Millisecond // all that wanted to run waited for memory, in all
)

// NewRamp begins to watch.
func NewRamp() (*Ramp, error) {
	r := &Ramp{stall: memoryStall, room: func() (int64, string, error) {
		_, left, whose, err := MemoryRoom()
		return left, whose, err
	}}
	return r, r.begin()
}

func (r *Ramp) begin() error {
	left, _, err := r.room()
	r.floor, r.stalled = left/rampFloor, r.stall()
	return err
}

// Check is nil as long as there is room and nothing waits for memory. n of all is how far
// the trial has come.
func (r *Ramp) Check(n, all int) error {
	left, whose, err := r.room()
	waited := r.stall() - r.stalled
	switch {
	case err != nil:
		return err
	case left < r.floor:
		err = fmt.Errorf("stopped after %d of %d: %s has %d MiB of memory available, and %d MiB are to stay so; fix: end other programs", n, all, whose, left>>20, r.floor>>20)
	case waited > rampStall:
		err = fmt.Errorf("stopped after %d of %d: programs waited %d ms for memory; fix: end other programs", n, all, waited.Milliseconds())
	}
	return Blamed(BlameMachine, err)
}

// memoryStall reads /proc/pressure/memory (kernel: accounting/psi.rst).
func memoryStall() time.Duration {
	text, err := os.ReadFile("/proc/pressure/memory")
	if err != nil {
		return 0
	}
	return fullStall(string(text))
}

// fullStall is the total of a pressure file's line "full".
func fullStall(text string) time.Duration {
	_, full, _ := strings.Cut(text, "full ")
	_, total, _ := strings.Cut(full, "total=")
	var µs int64
	fmt.Sscan(total, &µs)
	return time.Duration(µs) * time.Microsecond
}
