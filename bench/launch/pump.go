package launch

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench"
)

// Pumps stand between a program and the standard descriptors of whoever called
// the lab. A descriptor is more than a stream: through /proc/self/fd/0 a program
// opens the caller's file anew, for writing; fchmod and fchown reach it, and a
// folder leads to all that is below it. So the program gets pipes of its own,
// and what goes through them is copied.
//
// They are for lab exec. What is measured has one pipe, and whoever waits for
// its first byte reads that.
type Pumps struct {
	theirs []*os.File // the program's ends, closed once it has them
	own    []*os.File // ours
	copies []func()
	end    Latch // the program has ended

	finished chan error // a result of each that End has to wait for
	waited   int        // how many these are
}

// Pump gives a command pipes in place of the descriptors in, out and errs. The
// null device, and what is closed, becomes [Null].
func Pump(c *bench.Command, in, out, errs *os.File) (p *Pumps, err error) {
	p = &Pumps{finished: make(chan error, 3)}
	defer func() {
		if err != nil {
			for _, f := range append(p.theirs, p.own...) {
				f.Close()
			}
			p = nil
		}
	}()
	if p.end, err = NewLatch(); err != nil {
		return p, err
	}
	var outSt, errSt unix.Stat_t
	for _, x := range []struct {
		name  string
		f     *os.File
		to    **os.File
		st    *unix.Stat_t
		input bool
	}{
		{"standard input", in, &c.Stdin, new(unix.Stat_t), true},
		{"standard output", out, &c.Stdout, &outSt, false},
		{"standard error", errs, &c.Stderr, &errSt, false},
	} {
		open := unix.Fstat(int(x.f.Fd()), x.st) == nil
		kind := x.st.Mode & unix.S_IFMT
		switch {
		case open && kind == unix.S_IFDIR:
			return p, bench.Blamed(bench.BlameWorkload, fmt.Errorf("%s is a folder, and isn't shown inside; give it a file, or /dev/null", x.name))
		case !open || kind == unix.S_IFCHR && x.st.Rdev == unix.Mkdev(1, 3) && (x.input || written(x.f)):
			*x.to = Null
		case x.to == &c.Stderr && c.Stdout != Null && same(&outSt, &errSt):
			// As in 2>&1: through two pipes the order would be lost.
			c.Stderr = c.Stdout
		default:
			if err := p.add(c.User, x.name, int(x.f.Fd()), x.to, x.input); err != nil {
				return p, err
			}
		}
	}
	return p, nil
}

// written says whether a descriptor is open for writing: what can't be written to loses
// its output with an error, the null device too.
func written(f *os.File) bool {
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	return err == nil && flags&unix.O_ACCMODE != unix.O_RDONLY
}

func same(a, b *unix.Stat_t) bool { return a.Dev == b.Dev && a.Ino == b.Ino && a.Rdev == b.Rdev }

// add makes a pipe, and the pump between it and the caller's descriptor.
func (p *Pumps) add(user bench.User, name string, fd int, to **os.File, input bool) error {
	var ends [2]int // read, write
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		return os.NewSyscallError("pipe2", err)
	}
	theirs, own := ends[1], ends[0]
	if input {
		theirs, own = own, theirs
	}
	*to = os.NewFile(uintptr(theirs), name)
	f := os.NewFile(uintptr(own), name)
	p.theirs, p.own = append(p.theirs, *to), append(p.own, f)
	if user.UID != 0 || user.GID != 0 {
		// Or it couldn't open /dev/stdout.
		if err := unix.Fchown(theirs, int(user.UID), int(user.GID)); err != nil {
			return os.NewSyscallError("fchown", err)
		}
	}
	if !input {
		p.waited++
		p.copies = append(p.copies, func() {
			err := Drain(own, fd, p.end)
			f.Close() // who writes on is told by SIGPIPE
			if err != nil && err != unix.EPIPE {
				err = fmt.Errorf("%s: some of what the program wrote is lost: %w", name, err)
			}
			p.finished <- err
		})
		return nil
	}
	// So that the program's end isn't missed in a write.
	if err := unix.SetNonblock(own, true); err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		p.copies = append(p.copies, func() {
			defer f.Close()
			feed(fd, own, p.end)
		})
		return nil
	}
	// What the program doesn't read of a file is there for who comes next: a
	// shell's loop over lines, for instance, in which it is run.
	left, err := unix.FcntlInt(uintptr(theirs), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return os.NewSyscallError("dup", err)
	}
	p.waited++
	p.copies = append(p.copies, func() {
		defer func() { p.finished <- nil }()
		defer unix.Close(left)
		rest := feed(fd, own, p.end)
		f.Close()
		for unix.EINTR == waitFor(p.end) {
		}
		if n, err := unix.IoctlGetInt(left, unix.TIOCINQ); err == nil && n+rest > 0 {
			unix.Seek(fd, int64(-n-rest), 1)
		}
	})
	return nil
}

// Begin lets what comes flow. It is called when the program was started.
func (p *Pumps) Begin() {
	for _, f := range p.theirs {
		f.Close()
	}
	for _, f := range p.copies {
		go f()
	}
}

// End waits until all that the program wrote has been handed on; it is called
// after the program's end. What others, in the background, write to the same
// pipes later is nobody's. When abort is closed it waits no longer. broken says
// that somebody stopped reading, as head(1) does.
func (p *Pumps) End(abort <-chan struct{}) (broken bool, err error) {
	p.end.Set()
	var errs []error
	for range p.waited {
		select {
		case e := <-p.finished:
			if e == unix.EPIPE {
				broken = true
			} else {
				errs = append(errs, e)
			}
		case <-abort:
			return broken, errors.Join(errs...)
		}
	}
	return broken, errors.Join(errs...)
}

// A Latch is readable to poll(2) once it was set.
type Latch struct{ *os.File }

// NewLatch makes one.
func NewLatch() (Latch, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return Latch{}, os.NewSyscallError("eventfd", err)
	}
	return Latch{os.NewFile(uintptr(fd), "latch")}, nil
}

// Set sets it.
func (l Latch) Set() { l.Write([]byte{1, 1, 1, 1, 1, 1, 1, 0}) } // any number, of either byte order

func waitFor(l Latch) error {
	_, err := unix.Poll([]unix.PollFd{{Fd: int32(l.Fd()), Events: unix.POLLIN}}, -1)
	return err
}

const (
	chunk = 64 << 10 // a pipe's usual size
	late  = 1 << 20  // as much as a pipe can hold
)

// Drain copies from src to dst until src ends: a pipe, or a terminal. Once end
// is set it copies what is there already, and returns: others may have the pipe
// open for long.
func Drain(src, dst int, end Latch) error {
	var buf []byte // needed where the kernel can't pass pages on: terminals, files to append to
	fds := []unix.PollFd{{Fd: int32(src), Events: unix.POLLIN}, {Fd: int32(end.Fd()), Events: unix.POLLIN}}
	for after := 0; after < late; {
		wait := -1
		if len(fds) == 1 {
			wait = 0
		}
		n, err := unix.Poll(fds, wait)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil || n == 0:
			return err
		case len(fds) == 2 && fds[1].Revents != 0:
			fds = fds[:1]
			continue
		}
		if buf == nil {
			moved, err := unix.Splice(src, nil, dst, nil, late, 0)
			switch {
			case err == unix.EINVAL:
				buf = make([]byte, chunk)
				continue
			case err == unix.EAGAIN:
				unix.Poll([]unix.PollFd{{Fd: int32(dst), Events: unix.POLLOUT}}, -1)
				continue
			case err == unix.EINTR:
				continue
			case err != nil || moved == 0:
				return err
			}
			n = int(moved)
		} else {
			n, err = unix.Read(src, buf)
			if err == unix.EINTR || err == unix.EAGAIN {
				continue
			}
			if err != nil || n == 0 { // a terminal's end is EIO
				return nil
			}
			if err := write(dst, buf[:n]); err != nil {
				return err
			}
		}
		if len(fds) == 1 {
			after += n
		}
	}
	return nil
}

// write writes all of b, to a descriptor of whatever mode.
func write(fd int, b []byte) error {
	for len(b) > 0 {
		n, err := unix.Write(fd, b)
		switch err {
		case nil:
			b = b[n:]
		case unix.EINTR:
		case unix.EAGAIN:
			unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, -1)
		default:
			return err
		}
	}
	return nil
}

// feed copies from src to the pipe to, which doesn't block, until src ends,
// nobody reads the pipe, or end is set. It returns how much it has read and
// couldn't hand on.
func feed(src, to int, end Latch) (rest int) {
	buf := make([]byte, chunk)
	var b []byte
	for {
		// Of the pipe, that its reader is gone is told in any case.
		fds := []unix.PollFd{{Fd: int32(end.Fd()), Events: unix.POLLIN}, {Fd: int32(to), Events: unix.POLLOUT}}
		if len(b) == 0 {
			fds[1].Events = 0
			fds = append(fds, unix.PollFd{Fd: int32(src), Events: unix.POLLIN})
		}
		if _, err := unix.Poll(fds, -1); err == unix.EINTR {
			continue
		} else if err != nil || fds[0].Revents != 0 || fds[1].Revents&unix.POLLERR != 0 {
			return len(b)
		}
		var n int
		var err error
		if len(b) > 0 {
			if n, err = unix.Write(to, b); err == nil {
				b = b[n:]
			}
		} else if n, err = unix.Read(src, buf); err == nil {
			if n == 0 {
				return 0
			}
			b = buf[:n]
		}
		switch {
		case err == unix.EIO && len(b) == 0 && fds[2].Revents&unix.POLLHUP == 0:
			// A shell's background job may not read its terminal, where what is
			// typed is the shell's.
			time.Sleep(100 * time.Millisecond)
		case err != nil && err != unix.EINTR && err != unix.EAGAIN:
			return len(b)
		}
	}
}
