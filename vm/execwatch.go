package vm

import (
	"os"

	"golang.org/x/sys/unix"

	"lab/bench/clock"
)

// An execWatch sees a program being executed: execve(2) opens the file, and
// inotify(7) tells of it. That is how the moment at which libvirt is done with
// its preparations, and QEMU begins, becomes visible from outside; the start
// time in /proc counts in hundredths of a second.
type execWatch struct {
	f  *os.File
	at chan clock.Time
}

// watchExec watches a program from now on. It returns nil where the kernel
// can't: the mark is left out then.
func watchExec(path string) *execWatch {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil
	}
	if _, err := unix.InotifyAddWatch(fd, path, unix.IN_OPEN|unix.IN_ONESHOT); err != nil {
		unix.Close(fd)
		return nil
	}
	w := &execWatch{os.NewFile(uintptr(fd), "inotify"), make(chan clock.Time, 1)}
	go func() {
		var buf [512]byte
		if n, err := w.f.Read(buf[:]); err == nil && n > 0 {
			w.at <- clock.Now()
		}
	}()
	return w
}

// stop ends the watch and returns when the program was executed; zero if it
// wasn't.
func (w *execWatch) stop() clock.Time {
	if w == nil {
		return 0
	}
	defer w.f.Close()
	select {
	case t := <-w.at:
		return t
	default:
		return 0
	}
}
