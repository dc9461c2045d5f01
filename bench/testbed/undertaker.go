package testbed

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"lab/bench/proc"

	"golang.org/x/sys/unix"
)

// An Undertaker starts the process that removes what a testbed leaves whose owner
// was killed. It outlives the owner, and then calls [Bury] for the run folder of this
// name. Nil is none: what is left stays until the next [Sweep]. See launch.Undertaker.
type Undertaker func(dir string) (Watcher, error)

// A Watcher is that process, as the owner sees it.
type Watcher interface {
	// Leads is where a process that leads a session writes its PID, in decimal: all
	// that is left of the session is to end with the owner. Forget takes it back.
	Leads() []byte
	Forget()
	// Close ends the watcher: the owner has cleaned up by itself.
	Close()
}

// What a watcher executes this program with: its first argument, after which come
// the folder and what Leads was told; and a descriptor. It isn't for users, and
// does nothing for them.
const (
	BuryArg   = "__bury"
	BuryOwner = 3 // the owner, as a pidfd
)

func (u Undertaker) watch(dir string) (Watcher, error) {
	if u == nil {
		return nil, nil
	}
	return u(dir)
}

func closeWatcher(w Watcher) {
	if w != nil {
		w.Close()
	}
}

// buryWithin is how long a testbed's processes may take to end.
const buryWithin = time.Minute

// Bury is the undertaker's main function, where the program's arguments are an
// undertaker's; else it returns at once.
func Bury(args []string) {
	if len(args) != 4 || args[1] != BuryArg {
		return
	}
	if err := buryKilled(args[2], args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "lab: clean up after a killed lab:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func buryKilled(dir, follow string) error {
	// Somebody may call us by hand, with whatever descriptors: EBADF is for those
	// that are no pidfd.
	if err := unix.PidfdSendSignal(BuryOwner, 0, nil, 0); err == unix.EBADF {
		return errors.New("not started by a watcher")
	}
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: BuryOwner, Events: unix.POLLIN}}, -1)
		if err != nil && err != unix.EINTR {
			return os.NewSyscallError("poll", err)
		}
		if n == 1 {
			break
		}
	}
	if filepath.Dir(dir) != runDir || !isID(filepath.Base(dir)) {
		return fmt.Errorf("%s: not a run folder", dir)
	}
	if pid, err := strconv.Atoi(follow); err == nil && pid > 1 {
		endSession(pid)
	}
	folder, alive := claim(dir)
	// Its worker holds the lock, too, and dies a moment after the owner.
	for end := time.Now().Add(buryWithin); alive && time.Now().Before(end); folder, alive = claim(dir) {
		time.Sleep(time.Millisecond)
	}
	if alive {
		return fmt.Errorf("%s is locked after %v", dir, buryWithin)
	}
	if folder == nil { // never made, or another lab has swept it
		return nil
	}
	defer folder.Close()
	_, err := bury(folder)
	return err
}

// endSession kills the processes of a session whose leader was, or is, PID sid:
// the kernel has ended the leader with its lab, and nobody what it left in the
// background. It goes on until there are none, a second at most, as they may fork.
func endSession(sid int) {
	for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		found := false
		for _, pid := range proc.PIDs() {
			p, _ := os.FindProcess(pid) // before the look: no stranger can come by the number
			if s, ok := proc.Read(pid); ok && s.State != 'Z' && s.Session == sid {
				found = true
				p.Kill()
			}
			p.Release()
		}
		if !found {
			return
		}
	}
}
