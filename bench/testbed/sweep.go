package testbed

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/sys/unix"

	"lab/bench/cgroup"
	"lab/bench/input"
	"lab/bench/proc"
)

// Sweep removes what testbeds left whose owners are dead: cgroup folders, work
// folders and run folders. It returns what it removed. Nothing is touched whose owner holds its
// lock, and no cgroup folder but those that bear the tag, or the ID of a dead
// testbed's run folder: its owner was killed between making and tagging one.
func Sweep() (removed []string, err error) {
	var errs []error
	l, err := cgroup.Read()
	if err != nil {
		return nil, err
	}
	for id, dirs := range l.Owners() {
		// The tag was written by somebody with root's rights, yet it is
		// made into a path below: a name, and nothing else.
		if !isID(id) {
			continue
		}
		// A dead owner's folder is either gone or unlocked. While we look
		// at it, and until the cgroups are gone, it is ours.
		f, alive := claim(filepath.Join(runDir, id))
		// With a /run that isn't ours, it may be alive all the same.
		if !alive && !slices.ContainsFunc(dirs, cgroup.Owned) {
			gone, err := removeCgroups(dirs)
			removed, errs = append(removed, gone...), append(errs, err)
		}
		if f != nil {
			f.Close()
		}
	}
	gone, err := SweepFolders()
	return append(removed, gone...), errors.Join(append(errs, err)...)
}

// SweepFolders is the part of Sweep that costs next to nothing where nothing was
// left: it goes by the run folders. What it can't see are cgroup folders whose
// owner had a /run of its own.
func SweepFolders() (removed []string, err error) {
	var errs []error
	entries, _ := os.ReadDir(runDir)
	for _, e := range entries {
		if !isID(e.Name()) {
			continue
		}
		f, alive := claim(filepath.Join(runDir, e.Name()))
		if alive || f == nil {
			continue
		}
		gone, err := bury(f)
		removed, errs = append(removed, gone...), append(errs, err)
		f.Close()
	}
	return removed, errors.Join(errs...)
}

// bury removes all that is left of the testbed whose run folder f is, locked by
// us: the folder last, as its name is what tells whose the rest was.
func bury(f *os.File) (removed []string, err error) {
	removed, err = removeCgroups(recorded(f))
	if err != nil {
		return removed, err
	}
	gone, err := buryWork(f)
	removed = append(removed, gone...)
	if err != nil {
		return removed, err
	}
	if err := removeFolder(f); err != nil {
		return removed, err
	}
	return append(removed, f.Name()), nil
}

// recorded lists the cgroup folders that a testbed's run folder leads to and that
// are there. It is open, and maybe covered: its links are read through it.
func recorded(f *os.File) (dirs []string) {
	fd, err := unix.Openat(int(f.Fd()), ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	own := os.NewFile(uintptr(fd), f.Name()) // reading moves an offset
	defer own.Close()
	names, _ := own.Readdirnames(-1)
	for _, name := range names {
		if !strings.HasPrefix(name, groupLink) {
			continue
		}
		buf := make([]byte, unix.PathMax)
		n, err := unix.Readlinkat(fd, name, buf)
		if err == nil && cgroup.IsFolder(string(buf[:n]), filepath.Base(f.Name())) {
			dirs = append(dirs, string(buf[:n]))
		}
	}
	return dirs
}

func removeCgroups(dirs []string) (removed []string, err error) {
	var errs []error
	for _, dir := range dirs {
		if err := cgroup.RemoveAll(dir); err != nil {
			errs = append(errs, err)
			continue
		}
		removed = append(removed, dir)
	}
	return removed, errors.Join(errs...)
}

// claim locks the folder of a testbed whose owner is dead. It says that the
// owner is alive where it holds the lock, or where we can't tell.
func claim(dir string) (f *os.File, alive bool) {
	f, err := input.OpenFolder(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, false
	}
	if err != nil {
		return nil, true
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, true
	}
	return f, false
}

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
