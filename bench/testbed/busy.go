package testbed

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"lab/bench/input"
	"lab/bench/proc"

	"golang.org/x/sys/unix"
)

// A BusyError says who holds the lock.
type BusyError struct {
	PID     int           // 0 when it isn't known
	Shared  bool          // it measures nothing: a command is open in an environment
	Command string        // "lab exec container -- sh"; "" when it isn't known
	Age     time.Duration // of that process
	More    int           // how many others hold the lock with it
}

func (e *BusyError) Error() string {
	if e.Shared {
		return e.Holder() + "; a measurement wants the machine to itself\nfix: --wait, or end that command"
	}
	return e.Holder() + "; two at a time would measure each other\nfix: --wait, or end it with Ctrl-C there"
}

// Holder says who holds the lock, what for and for how long.
func (e *BusyError) Holder() string {
	who := "another lab"
	if e.PID > 0 {
		who += fmt.Sprintf(" (PID %d)", e.PID)
	}
	doing := ""
	if e.Command != "" {
		doing = fmt.Sprintf(": %s, for %s", e.Command, e.Age.Round(time.Second))
	}
	if e.More > 0 {
		doing += fmt.Sprintf(" (and %d more)", e.More)
	}
	if e.Shared {
		return who + " has a command open on this machine" + doing
	}
	return who + " is measuring on this machine" + doing
}

// holders says who has a folder's lock, from /proc/locks; without a PID when
// nobody is found there:
//
//	1: FLOCK  ADVISORY  WRITE 4711 00:1a:38 0 EOF
func holders(dir string) *BusyError {
	e := &BusyError{}
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return e
	}
	b, err := input.Kernel("/proc/locks")
	if err != nil {
		return e
	}
	want := fmt.Sprintf("%02x:%02x:%d", unix.Major(st.Dev), unix.Minor(st.Dev), st.Ino)
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 6 || f[1] != "FLOCK" || f[5] != want {
			continue
		}
		if e.PID != 0 {
			e.More++
			continue
		}
		e.PID, _ = strconv.Atoi(f[4])
		e.Shared = f[3] == "READ"
		e.Command, e.Age = command(e.PID)
	}
	return e
}

// command is what a process was started as, and how long ago; "" when that can't
// be told.
func command(pid int) (line string, age time.Duration) {
	b, err := input.Kernel(fmt.Sprintf("/proc/%d/cmdline", pid))
	st, ok := proc.Read(pid)
	var now unix.Timespec
	if err != nil || !ok || len(b) == 0 || unix.ClockGettime(unix.CLOCK_BOOTTIME, &now) != nil {
		return "", 0
	}
	ticks, err := strconv.ParseInt(st.Began, 10, 64) // in hundredths of a second
	if err != nil {
		return "", 0
	}
	words := strings.Split(strings.TrimRight(string(b), "\x00"), "\x00")
	words[0] = filepath.Base(words[0])
	// Anybody may have typed anything there.
	text := strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, strings.Join(words, " "))
	if runes := []rune(text); len(runes) > 60 {
		text = string(slices.Concat(runes[:59], []rune("…")))
	}
	return text, time.Duration(now.Nano()) - time.Duration(ticks)*10*time.Millisecond
}
