package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/clock"
	"lab/bench/histogram"
	"lab/bench/image"
	"lab/bench/probe/line"
)

// A Probe is the host's half of a conversation with the lab's program inside an
// instance (image.ProbePath, bench/probe/program), whose language package
// bench/probe/line has. The order of calls: Command, for a Spec or an Exec;
// Listen, when what it is for was started; Talk; Close.
//
// # One clock
//
// The program times itself, and the lab doesn't take its word for it: the host
// stamps the lines around each section as they come, on its own clock. Where the
// two disagree by more than [ClockApart], the trial is tainted.
type Probe struct {
	token      string
	in, answer *os.File // the program's standard input, and our end of it
	heard      chan heard
	done       chan struct{} // closed by Close
}

// A heard line, or how the reading ended.
type heard struct {
	line line.Line
	at   clock.Time
	err  error
}

// ClockApart is how far the host's and the probe's length of a section may be
// apart, as a share of the host's. TwoClocks is the taint where they are
// further.
const (
	ClockApart = 0.01
	TwoClocks  = "two-clocks"
)

// NewProbe makes a conversation, which Close ends.
func NewProbe() (*Probe, error) {
	// The program blocks in its read; our own end does, too, as it never
	// writes more than a pipe holds.
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, fmt.Errorf("probe: %w", os.NewSyscallError("pipe2", err))
	}
	return &Probe{token: Token(), in: os.NewFile(uintptr(fds[0]), "probe's input"),
		answer: os.NewFile(uintptr(fds[1]), "answers"), heard: make(chan heard, 16), done: make(chan struct{})}, nil
}

// Command is the program with a subcommand and its name=value arguments. Its
// input is the lab's answers; where a program can have none (a guest's PID 1),
// set Stdin to nil, and the program doesn't wait for any.
func (p *Probe) Command(args ...string) Command {
	return Command{Argv: append([]string{image.ProbePath, p.token}, args...), Stdin: p.in}
}

// Listen begins to read what the program says. f stays its owner's, who closes
// it after the program's end at the earliest.
func (p *Probe) Listen(f *os.File) { go p.listen(f) }

func (p *Probe) listen(f *os.File) {
	tell := func(h heard) bool {
		select {
		case p.heard <- h:
			return true
		case <-p.done:
			return false
		}
	}
	f.Fd() // blocking mode, as in clock.AwaitToken
	rc, err := f.SyscallConn()
	if err != nil {
		tell(heard{err: err})
		return
	}
	var text []byte
	buf := make([]byte, 64<<10)
	for {
		var n int
		var rerr error
		var at clock.Time
		err := rc.Read(func(fd uintptr) bool {
			for {
				if n, rerr = unix.Read(int(fd), buf); rerr != unix.EINTR {
					at = clock.Now()
					return true
				}
			}
		})
		if err = errors.Join(err, rerr); err != nil || n <= 0 {
			tell(heard{err: fmt.Errorf("%w%s", clock.ErrClosed, last(text))})
			return
		}
		text = append(text, buf[:n]...)
		for {
			l, rest, whole := bytes.Cut(text, []byte("\n"))
			if !whole {
				break
			}
			text = rest
			said, err := line.Parse(string(l), p.token)
			if errors.Is(err, line.ErrForeign) {
				continue
			}
			if !tell(heard{said, at, err}) {
				return
			}
		}
		if len(text) > 1<<20 {
			tell(heard{err: fmt.Errorf("a line without end: %q…", text[:80])})
			return
		}
	}
}

// last quotes what was said without a line feed, or nothing.
func last(text []byte) string {
	if len(text) == 0 {
		return ""
	}
	return fmt.Sprintf(", last output %q", text[max(0, len(text)-400):])
}

// Heard is one line of the program's as the host heard it.
type Heard struct {
	line.Line
	At clock.Time

	// Of an end line: how long the section took by the host's clock, and by
	// the program's own.
	Host, Own time.Duration
}

// Apart reports whether the two clocks disagree about a section.
func (h Heard) Apart() bool {
	return (h.Host - h.Own).Abs().Seconds() > ClockApart*h.Host.Seconds()
}

// Value is the number that an end line has under a key; an error says that it
// has none.
func (h Heard) Value(key string) (float64, error) {
	v, ok := h.Float(key)
	if !ok {
		return 0, Blamed(BlameLab, fmt.Errorf("probe: %s has no %s", h.Name, key))
	}
	return v, nil
}

// Histogram is the distribution that a samples line has.
func (h Heard) Histogram() (*histogram.Histogram, error) {
	var out histogram.Histogram
	for _, p := range h.Pairs {
		if p.Key != "b" {
			continue
		}
		index, count, _ := strings.Cut(p.Value, ":")
		i, err1 := strconv.Atoi(index)
		n, err2 := strconv.ParseInt(count, 10, 64)
		if err1 != nil || err2 != nil || i < 0 || i > histogram.Last || n < 1 {
			return nil, Blamed(BlameLab, fmt.Errorf("probe: %s: bad bucket %q", h.Name, p.Value))
		}
		out.AddN(i, n)
	}
	return &out, nil
}

// Talk hears the program out: on is called for each of its lines, and the
// program goes on when on has returned. So what on does at the beginning of a
// section is done while the program waits, with all that it holds. The end is
// the program's "bye"; its own error, and its silence, are the workload's, a full
// disk the machine's.
func (p *Probe) Talk(ctx context.Context, on func(Heard) error) error {
	began := map[string]clock.Time{}
	for {
		var h heard
		select {
		case h = <-p.heard:
		case <-ctx.Done():
			return fmt.Errorf("probe: %w", ctx.Err())
		}
		if h.err != nil {
			return Blamed(BlameWorkload, fmt.Errorf("probe: %w", h.err))
		}
		x := Heard{Line: h.line, At: h.at}
		switch x.Kind {
		case line.Bye:
			return nil
		case line.Error:
			who := BlameWorkload
			if strings.Contains(x.Text("text"), unix.ENOSPC.Error()) {
				who = BlameMachine // a trial isn't begun without room: somebody took it since
			}
			return Blamed(who, fmt.Errorf("probe: %s", x.Text("text")))
		case line.Begin:
			began[x.Name] = h.at
		case line.End:
			from, ok := began[x.Name]
			ns, err := x.Value("ns")
			if err != nil || !ok {
				return errors.Join(err, Blamed(BlameLab, fmt.Errorf("probe: %s ended without a beginning", x.Name)))
			}
			delete(began, x.Name)
			x.Host, x.Own = h.at.Sub(from), time.Duration(ns)
		}
		if err := on(x); err != nil {
			return err
		}
		if x.Kind == line.Begin || x.Kind == line.End {
			// EPIPE: it doesn't read. It will say why, or be silent.
			p.answer.WriteString("\n")
		}
	}
}

// Close ends the conversation. The program reads the end of its input.
func (p *Probe) Close() error {
	select {
	case <-p.done:
		return nil
	default:
		close(p.done)
	}
	return errors.Join(p.in.Close(), p.answer.Close())
}
