package main

import (
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/probe/line"
)

// A talk is the probe's half of what package line describes.
type talk struct {
	token   string
	in, out int  // descriptors
	ended   bool // nobody answers any more, or ever did
}

// now reads the probe's CLOCK_MONOTONIC, in nanoseconds.
func now() int64 {
	var ts unix.Timespec
	unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return ts.Nano()
}

// section times work between a begin and an end line. What work returns is told
// with the end.
func (t *talk) section(name string, work func() ([]line.Pair, error)) error {
	began := now()
	if err := t.say(line.Line{Kind: line.Begin, Name: name}); err != nil {
		return err
	}
	t.await()
	values, err := work()
	if err != nil {
		return err
	}
	took := line.Count("ns", now()-began)
	err = t.say(line.Line{Kind: line.End, Name: name, Pairs: append([]line.Pair{took}, values...)})
	t.await()
	return err
}

// fact tells what isn't timed.
func (t *talk) fact(name string, pairs ...line.Pair) error {
	return t.say(line.Line{Kind: line.Fact, Name: name, Pairs: pairs})
}

func (t *talk) fail(name string, err error) {
	t.say(line.Line{Kind: line.Error, Name: name, Pairs: []line.Pair{{Key: "text", Value: err.Error()}}})
}

func (t *talk) bye() { t.say(line.Line{Kind: line.Bye}) }

// say writes a line, in one write where the pipe takes it.
func (t *talk) say(l line.Line) error {
	for b := l.Append(nil, t.token); len(b) > 0; {
		n, err := unix.Write(t.out, b)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return os.NewSyscallError("write", err)
		}
		b = b[n:]
	}
	return nil
}

// await waits until the host has answered: a line, or the end of the input.
func (t *talk) await() {
	var b [1]byte
	for !t.ended {
		n, err := unix.Read(t.in, b[:])
		if err == unix.EINTR {
			continue
		}
		t.ended = err != nil || n == 0
		if n == 1 && b[0] == '\n' {
			return
		}
	}
}

// A meter calls work again and again, in batches of so many rounds that a look
// at the clock after each is nothing. Finding that number out warms the caches
// up, too.
type meter struct {
	work  func(rounds int) error
	batch int
}

func newMeter(budget time.Duration, work func(rounds int) error) (*meter, error) {
	m := &meter{work: work, batch: 1}
	for {
		// The fastest of three: one may be long for a reason of the machine's.
		least := int64(budget)
		for range 3 {
			began := now()
			if err := work(m.batch); err != nil {
				return nil, err
			}
			if least = min(least, now()-began); least < int64(budget)/100 {
				break
			}
		}
		if least >= int64(budget)/100 || m.batch > 1<<30 {
			return m, nil
		}
		m.batch *= 2
	}
}

// run does rounds until the time is over. perRound, in seconds, is the middle
// one of the batches: what the machine did meanwhile to a few of them, such as
// giving the CPU to somebody else, isn't in it.
func (m *meter) run(budget time.Duration) (rounds int64, perRound float64, err error) {
	took := make([]int64, 0, 1024)
	began := now()
	for last := began; last-began < int64(budget) || len(took) < 3; {
		if err := m.work(m.batch); err != nil {
			return 0, 0, err
		}
		at := now()
		took = append(took, at-last)
		last = at
	}
	slices.Sort(took)
	return int64(len(took)) * int64(m.batch), float64(took[len(took)/2]) / 1e9 / float64(m.batch), nil
}
