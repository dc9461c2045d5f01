package main

import (
	"errors"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"lab/bench/probe/line"
)

// What a program reaches of the machine around it. The marks that it looks for
// are a neighbour's (neighbour.go), who says afterwards what became of them. What
// would change the machine if it worked is only asked for: a file is opened for
// writing and not written to, a setting gets the value that it has.

// An answer is how far a probe came.
type answer int

const (
	neither answer = iota // it doesn't find what it looks for
	sees                  // it finds it, or reads it
	changes               // it can write to it
)

// errAbsent is returned where this kernel hasn't got what a probe looks for.
var errAbsent = errors.New("absent")

// A search is what a probe is told of what is outside.
type search struct {
	options
	mark string // the neighbour's, in the name of all that it has
	pid  int    // the neighbour, in the host's numbers
	dir  string // a folder that may be written to
	same bool   // our kernel is the host's
}

// A try is one probe. Those of the kernel's look for what each kernel has one
// of: in a guest they would find the guest's own.
type try struct {
	name   string
	kernel bool
	do     func(*search) (answer, error)
}

// tries are all probes, in the order in which they are made.
var tries = [][]try{fileTries, processTries, nameTries, networkTries, ipcTries, kernelTries, powerTries}

// reach makes all probes, and says in one fact what each found: 0, 1, 2 as the
// answers count, or "absent". In the section "hold" all that it made outside of
// itself is there for the host to see. The fact "why" has the errors.
func reach(t *talk, o options) error {
	s := &search{options: o, mark: o["mark"], dir: o["dir"]}
	s.pid, _ = strconv.Atoi(o["pid"])
	s.same = s.sameKernel()
	dir, err := os.MkdirTemp(s.dir, s.mark+"-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s.dir = dir
	if err := t.section("hold", func() ([]line.Pair, error) { return nil, nil }); err != nil {
		return err
	}
	var found, why []line.Pair
	one := func(x try) {
		a, err := s.try(x)
		said := strconv.Itoa(int(a))
		if errors.Is(err, errAbsent) {
			said = "absent"
		}
		found = append(found, line.Pair{Key: x.name, Value: said})
		if err != nil {
			why = append(why, line.Pair{Key: x.name, Value: err.Error()})
		}
	}
	for _, group := range tries {
		for _, x := range group {
			one(x)
		}
	}
	if err := s.mounts(t); err != nil {
		return err
	}
	one(try{"escape", false, escape}) // last: its root folder may be all of the program's
	if err := t.fact("why", why...); err != nil {
		return err
	}
	return t.fact("reach", found...)
}

// try makes a probe on a thread of its own, which ends with it, and with it what
// it has become: another root folder, other namespaces, another priority.
func (s *search) try(x try) (a answer, err error) {
	if x.kernel && !s.same {
		return neither, nil
	}
	if strings.Contains(s.options["absent"], ","+x.name+",") {
		return neither, errAbsent
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good
		a, err = x.do(s)
	}()
	<-done
	return a, err
}

// sameKernel says whether our kernel is the host's. It has the same name and
// version; and it was booted at the same time, or has the same number for its
// boot: a time namespace hides the one, a mount may cover the other.
func (s *search) sameKernel() bool {
	if version() != s.options["kernel"] {
		return false
	}
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return err == nil && strings.TrimSpace(string(id)) == s.options["boot"] || s.sameBoot()
}

// sameBoot says whether the clock that counts from boot shows what the host's does.
func (s *search) sameBoot() bool {
	host, _ := s.number("up", 0)
	var ts unix.Timespec
	unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts)
	return ts.Sec >= host && ts.Sec < host+60
}

// version is a kernel's release and build.
func version() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return ""
	}
	return strings.ReplaceAll(unix.ByteSliceToString(u.Release[:])+"/"+unix.ByteSliceToString(u.Version[:]), " ", "_")
}

// yes is an answer if nothing went wrong.
func yes(a answer, err error) (answer, error) {
	if err != nil {
		return neither, err
	}
	return a, nil
}

// writable opens a file for writing and doesn't write. A file that can only be
// read is seen.
func writable(name string) (answer, error) {
	fd, err := unix.Open(name, unix.O_WRONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err == nil {
		unix.Close(fd)
		return changes, nil
	}
	fd, rerr := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if rerr == nil {
		unix.Close(fd)
		return sees, err
	}
	return neither, err
}

// contains says whether a file has a word in it: sees.
func contains(name, word string) (answer, error) {
	b, err := os.ReadFile(name)
	if err == nil && word != "" && strings.Contains(string(b), word) {
		return sees, nil
	}
	return neither, err
}

// leaveMark writes to a file that bears the mark: it is found, and can be changed.
func (s *search) leaveMark(name string) (answer, error) {
	if a, err := contains(name, s.mark); a == neither {
		return a, err
	}
	fd, err := unix.Open(name, unix.O_WRONLY|unix.O_APPEND|unix.O_CLOEXEC, 0)
	if err != nil {
		return sees, err
	}
	defer unix.Close(fd)
	_, err = unix.Write(fd, []byte("+"))
	if err != nil {
		return sees, err
	}
	return changes, nil
}
