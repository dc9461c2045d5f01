package main

import (
	"os"
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

// rounds calls work again and again until it has done so for the time, and
// returns how many rounds were made, and how long these took. Before, it finds
// out how many rounds are worth a look at the clock, which also warms caches
// up.
type meter struct {
	work  func(rounds int) error
	batch int
}

func newMeter(budget time.Duration, work func(rounds int) error) (*meter, error) {
	m := &meter{work: work, batch: 1}
	for {
		began := now()
		if err := work(m.batch); err != nil {
			return nil, err
		}
		if took := now() - began; took > int64(budget)/40 || m.batch > 1<<30 {
			return m, nil
		}
		m.batch *= 2
	}
}

func (m *meter) run(budget time.Duration) (rounds, took int64, err error) {
	began := now()
	for took < int64(budget) {
		if err := m.work(m.batch); err != nil {
			return 0, 0, err
		}
		rounds += int64(m.batch)
		took = now() - began
	}
	return rounds, took, nil
}
