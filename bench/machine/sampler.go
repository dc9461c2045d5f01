package machine

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/cgroup"
	"lab/bench/clock"
)

// A Sample is the kernel's counters at one moment.
type Sample struct {
	At        clock.Time
	Pressure  time.Duration // time in which some task waited for a processor, since the start
	Stall     time.Duration // time in which some task waited for memory to be freed, or to come back
	Steal     time.Duration // time that the hypervisor kept, over all processors
	Running   int           // tasks that run or could, we among them; 0 where pressure is known
	Swaps     uint64        // pages that went to swap or came back
	Wall      time.Duration // CLOCK_REALTIME less CLOCK_MONOTONIC: changes when someone sets the clock
	Throttled uint64        // how often a CPU quota stopped a cgroup that the lab stands in
	Limited   uint64        // how often a limit of memory or processes of such a one was reached
	Asleep    time.Duration // CLOCK_BOOTTIME less CLOCK_MONOTONIC: time that the machine was suspended
}

// A Sampler takes samples. It keeps its files open: a sample is then a read each,
// some 5 µs in all, and can be taken in whatever namespaces its owner is by then.
// It is for one goroutine at a time.
type Sampler struct {
	cpus                                 int
	pressure, memory, stat, load, vmstat *os.File // nil where the kernel hasn't got it
	limits                               []limit
	buf                                  []byte
	stepped                              time.Duration // see Step
}

// A limit is a counter of a cgroup that bounds the lab, whose file is open.
type limit struct {
	cgroup.Counter
	file *os.File
}

// NewSampler opens the files of the tree at root ("" for this machine's). A file
// that isn't there is no error: see Blind. Close closes them.
func NewSampler(root string) (*Sampler, error) {
	t := tree(root)
	s := &Sampler{buf: make([]byte, 16<<10), cpus: max(1, countCPUs(field(t.read("/proc/self/status"), "Cpus_allowed_list")))}
	err := errors.Join(s.open(t, "/proc/stat", &s.stat), s.open(t, "/proc/pressure/cpu", &s.pressure), s.open(t, "/proc/pressure/memory", &s.memory))
	if s.pressure == nil {
		err = errors.Join(err, s.open(t, "/proc/loadavg", &s.load))
	}
	if meminfo(t, "SwapTotal") > 0 { // the costliest file, in which else nothing changes
		err = errors.Join(err, s.open(t, "/proc/vmstat", &s.vmstat))
	}
	l, lerr := cgroup.ReadIn(root)
	if errors.Is(lerr, fs.ErrNotExist) {
		lerr = nil
	}
	err = errors.Join(err, lerr)
	for _, c := range l.Counters() {
		f, ferr := os.Open(c.File)
		s.limits, err = append(s.limits, limit{c, f}), errors.Join(err, ferr)
	}
	if err != nil {
		return nil, fmt.Errorf("sampler: %w", errors.Join(err, s.Close()))
	}
	return s, nil
}

func (s *Sampler) open(t tree, name string, to **os.File) error {
	f, err := os.Open(t.path(name))
	// EOPNOTSUPP: pressure is compiled in and switched off.
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.EOPNOTSUPP) {
		return nil
	}
	*to = f
	return err
}

func (s *Sampler) shut(f **os.File) {
	if *f != nil {
		(*f).Close()
		*f = nil
	}
}

// Close closes the files. It may be called twice.
func (s *Sampler) Close() error {
	for _, f := range []**os.File{&s.pressure, &s.memory, &s.stat, &s.load, &s.vmstat} {
		s.shut(f)
	}
	for i := range s.limits {
		s.shut(&s.limits[i].file)
	}
	return nil
}

// Step makes the samples from now on see a wall clock that was set by d: a
// planted disturbance, for lab calibrate. The machine's clock isn't touched.
func (s *Sampler) Step(d time.Duration) { s.stepped += d }

// Sample reads the counters.
func (s *Sampler) Sample() Sample {
	var x Sample
	x.Pressure = time.Duration(number(s.read(s.pressure), "some ", "total=")) * time.Microsecond
	x.Stall = time.Duration(number(s.read(s.memory), "some ", "total=")) * time.Microsecond
	x.Steal = steal(s.read(s.stat))
	x.Running = running(s.read(s.load))
	if b := s.read(s.vmstat); b != nil {
		x.Swaps = number(b, "\npswpin ", "") + number(b, "\npswpout ", "")
	}
	for _, l := range s.limits {
		n := number(s.read(l.file), l.Row, "")
		if l.What == "cpu" {
			x.Throttled += n
		} else {
			x.Limited += n
		}
	}
	x.At = clock.Now()
	x.Wall = since(unix.CLOCK_REALTIME, x.At) + s.stepped
	x.Asleep = since(unix.CLOCK_BOOTTIME, x.At)
	return x
}

// Guard is what an engine.Runner calls around a trial.
func (s *Sampler) Guard() func() []string {
	before := s.Sample()
	return func() []string { return Taints(before, s.Sample(), s.cpus) }
}

// read reads a file from its beginning, nil where there is none. Files of /proc
// are made anew at each read from 0. One read returns a page or so, and what we
// look for is in the first: /proc/stat's first row, the first events of vmstat.
func (s *Sampler) read(f *os.File) []byte {
	if f == nil {
		return nil
	}
	n, err := unix.Pread(int(f.Fd()), s.buf, 0)
	if err != nil || n <= 0 {
		return nil
	}
	return s.buf[:n]
}

func since(id int32, now clock.Time) time.Duration {
	var ts unix.Timespec
	if unix.ClockGettime(id, &ts) != nil {
		return 0
	}
	return time.Duration(ts.Nano() - int64(now))
}

// number returns the figure after mark, in what follows row.
func number(b []byte, row, mark string) uint64 {
	for _, m := range []string{row, mark} {
		i := bytes.Index(b, []byte(m))
		if i < 0 {
			return 0
		}
		b = b[i+len(m):]
	}
	var n uint64
	for _, c := range b {
		if c < '0' || c > '9' {
			break
		}
		n = n*10 + uint64(c-'0')
	}
	return n
}

// tick is the unit of /proc/stat, USER_HZ, a hundredth of a second on all of
// Linux's architectures that Go supports.
const tick = 10 * time.Millisecond

// steal is the eighth figure of the row "cpu" (proc_stat(5)).
func steal(b []byte) time.Duration {
	line, _, _ := bytes.Cut(b, []byte("\n"))
	for i := 0; ; i++ {
		line = bytes.TrimLeft(line, " ")
		word, rest, more := bytes.Cut(line, []byte(" "))
		if i == 8 {
			return time.Duration(number(word, "", "")) * tick
		}
		if !more {
			return 0
		}
		line = rest
	}
}

// running is the figure before the slash in /proc/loadavg (proc_loadavg(5)).
func running(b []byte) int {
	before, _, ok := bytes.Cut(b, []byte("/"))
	if !ok {
		return 0
	}
	return int(number(before[bytes.LastIndexByte(before, ' ')+1:], "", ""))
}
