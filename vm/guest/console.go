package guest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"

	"golang.org/x/sys/unix"

	"lab/bench/clock"
)

// A Console is the lab's end of a guest's first serial port.
//
// It is a pipe, as a process's standard output is: QEMU writes each character
// by itself as the guest sends it, and a pipe appends it to the page before,
// where a socket counts nearly a kilobyte for each and is full after 300. A
// guest whose console isn't read stops.
type Console struct {
	path string // of the pair of FIFOs, without .in and .out
	f    *os.File
	open *openWatch
}

// PipeSize is how much a guest may say while nobody reads.
const PipeSize = 1 << 20

// NewConsole makes the FIFOs that QEMU, which runs as that user, will open:
// PATH.out for what the guest says, PATH.in for what it is told, which is nothing.
func NewConsole(path string, uid, gid int) (c *Console, err error) {
	c = &Console{path: path}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("console: %w", err), c.Close())
			c = nil
		}
	}()
	for _, p := range []string{path + ".in", path + ".out"} {
		if err := unix.Mkfifo(p, 0o600); err != nil {
			return c, &os.PathError{Op: "mkfifo", Path: p, Err: err}
		}
		if err := os.Chown(p, uid, gid); err != nil {
			return c, err
		}
	}
	// Without O_NONBLOCK it would wait for a writer (fifo(7)); afterwards it
	// shall block, as all descriptors do that clock.AwaitToken reads.
	fd, err := unix.Open(path+".out", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return c, &os.PathError{Op: "open", Path: path + ".out", Err: err}
	}
	if err := unix.SetNonblock(fd, false); err != nil {
		unix.Close(fd)
		return c, os.NewSyscallError("fcntl", err)
	}
	c.f = os.NewFile(uintptr(fd), "console")
	// Less will do: the limit for users without privileges is as large.
	unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, PipeSize)
	c.open = WatchOpen(path + ".out")
	return c, nil
}

// PipeConsole is a console that others write to.
func PipeConsole() (c *Console, w *os.File, err error) {
	r, w, err := pipe("console")
	return &Console{f: r}, w, err
}

// pipe makes a pipe that blocks, as large as a console's.
func pipe(name string) (r, w *os.File, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, os.NewSyscallError("pipe2", err)
	}
	unix.FcntlInt(uintptr(fds[0]), unix.F_SETPIPE_SZ, PipeSize)
	return os.NewFile(uintptr(fds[0]), name), os.NewFile(uintptr(fds[1]), name), nil
}

// File is the lab's end of it.
func (c *Console) File() *os.File { return c.f }

// Opened says when QEMU opened the console, which it does while it makes its
// devices; zero if it didn't, or where the kernel can't tell.
func (c *Console) Opened() clock.Time {
	at := c.open.Stop()
	c.open = nil
	return at
}

// Close removes the FIFOs and the lab's end.
func (c *Console) Close() error {
	if c.f != nil {
		c.f.Close()
	}
	c.open.Stop()
	if c.path == "" {
		return nil
	}
	var errs []error
	for _, p := range []string{c.path + ".in", c.path + ".out"} {
		if err := os.Remove(p); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// An openWatch sees a file being opened, by inotify(7). execve(2) opens the
// program, so that this is also how the moment becomes visible from outside at
// which libvirt is done with its preparations and QEMU begins; the start time
// in /proc counts in hundredths of a second.
type openWatch struct {
	f  *os.File
	At chan clock.Time
}

// WatchOpen watches a file from now on. It returns nil where the kernel can't:
// the mark is left out then.
func WatchOpen(path string) *openWatch {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil
	}
	if _, err := unix.InotifyAddWatch(fd, path, unix.IN_OPEN|unix.IN_ONESHOT); err != nil {
		unix.Close(fd)
		return nil
	}
	w := &openWatch{os.NewFile(uintptr(fd), "inotify"), make(chan clock.Time, 1)}
	go func() {
		var buf [512]byte
		if n, err := w.f.Read(buf[:]); err == nil && n > 0 {
			w.At <- clock.Now()
		}
	}()
	return w
}

// Stop ends the watch and returns when the file was opened; zero if it wasn't.
func (w *openWatch) Stop() clock.Time {
	if w == nil {
		return 0
	}
	defer w.f.Close()
	select {
	case t := <-w.At:
		return t
	default:
		return 0
	}
}

// PanicStatus finds the wait status of PID 1 in a console's text: "Kernel panic
// - not syncing: Attempted to kill init! exitcode=0x00000100" (do_exit in the
// kernel's kernel/exit.c; the form is older than 3.0).
func PanicStatus(text []byte) (status int, ok bool) {
	_, rest, ok := bytes.Cut(text, []byte("Attempted to kill init! exitcode=0x"))
	if !ok || len(rest) < 8 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(rest[:8]), 16, 32)
	return int(n), err == nil
}

var requested = regexp.MustCompile(`Requested init (\S+) failed \(error -(\d+)\)`)

// NotExecuted finds in a console's text that the kernel couldn't execute PID 1:
// "Kernel panic - not syncing: Requested init /x failed (error -8)."
// (kernel_init in the kernel's init/main.c).
func NotExecuted(text []byte) (path string, errno unix.Errno, ok bool) {
	m := requested.FindSubmatch(text)
	if m == nil {
		return "", 0, false
	}
	n, err := strconv.Atoi(string(m[2]))
	return string(m[1]), unix.Errno(n), err == nil
}

// halts are what Linux says last when it powers off or halts (kernel/reboot.c).
var halts = []string{"reboot: Power down", "reboot: System halted"}

// Halted is the last line of what a guest's kernel said, if after it nothing runs any
// more, or "".
func Halted(text []byte) string {
	text = bytes.TrimRight(text, "\r\n ")
	line := text[bytes.LastIndexByte(text, '\n')+1:]
	for _, h := range halts {
		if bytes.HasSuffix(line, []byte(h)) {
			return h
		}
	}
	return ""
}

// LastWords is the end of a console's text; of a kernel's panic the line that
// says why, and not the registers that follow.
func LastWords(text []byte) []byte {
	const most = 300
	if at := bytes.LastIndex(text, []byte("Kernel panic")); at >= 0 {
		line, _, _ := bytes.Cut(text[at:], []byte("\n"))
		return bytes.TrimSpace(line[:min(len(line), most)])
	}
	return text[max(0, len(text)-most):]
}
