package launch

import (
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// stdio is the child's first three descriptors.
type stdio struct {
	fds    [3]int
	nulls  []int      // those that are the null device
	theirs []*os.File // ours to close once the child has them
}

func (s *stdio) close() {
	for _, f := range s.theirs {
		f.Close()
	}
}

// Null in a Command stands for the null device: for an output, where nil means
// the ready pipe.
var Null = new(os.File)

// null is a descriptor of the null device, which all starts share: to make it
// waits for an RCU grace period, as the file system that it is on is let go.
//
// It isn't the machine's node but the lab's own (or the instance's, where it has
// one: Plan.Null): a program that root runs may
// change the mode and the owner of whatever it has open.
var null = sync.OnceValues(func() (int, error) {
	fd, err := ownNull()
	if err != nil { // without root, or in somebody's container
		fd, err = unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0)
	}
	if err == nil && fd < 3 { // the lab was started without one of these
		fd, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	}
	if err != nil {
		return 0, &os.PathError{Op: "open", Path: os.DevNull, Err: err}
	}
	return fd, nil
})

// ownNull makes a null device that no other program has.
func ownNull() (fd int, err error) {
	dir, err := newTmpfs()
	if err != nil {
		return -1, err
	}
	defer unix.Close(dir)
	if err := unix.Mknodat(dir, "null", unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))); err != nil {
		return -1, err
	}
	if err := unix.Fchmodat(dir, "null", 0o666, 0); err != nil { // whatever the umask is
		return -1, err
	}
	return unix.Openat(dir, "null", unix.O_RDWR|unix.O_CLOEXEC, 0)
}

// openNull opens what is to be the null device: the instance's own, where it has
// one, else the lab's.
func (s *stdio) openNull(own func() *os.File) error {
	if len(s.nulls) == 0 {
		return nil
	}
	var f *os.File
	if own != nil {
		f = own()
	}
	fd, err := -1, error(nil)
	if f != nil {
		s.theirs = append(s.theirs, f)
		fd = int(f.Fd())
	} else if fd, err = null(); err != nil {
		return err
	}
	for _, i := range s.nulls {
		s.fds[i] = fd
	}
	return nil
}

// stdio opens what the command leaves open: no input, the ready pipe, no
// diagnostics.
func (p *Process) stdio() (_ *stdio, err error) {
	c := &p.plan.Command
	s := &stdio{}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	var out *os.File
	if c.Stdout == nil && !c.TTY {
		// pipe2 itself, not os.Pipe: that one sets O_NONBLOCK and registers
		// the end with the poller, and a blocking read is faster.
		var fds [2]int
		if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
			return nil, fmt.Errorf("ready pipe: %w", err)
		}
		p.ready = os.NewFile(uintptr(fds[0]), "ready")
		out = os.NewFile(uintptr(fds[1]), "stdout")
		s.theirs = append(s.theirs, out)
	}
	for i, f := range []*os.File{c.Stdin, c.Stdout, c.Stderr} {
		if i == 1 && f == nil {
			f = out
		}
		if f == nil || f == Null {
			s.nulls = append(s.nulls, i)
			continue
		}
		// Fd also puts a file that Go made non-blocking, such as an end of
		// os.Pipe, back: the program would be told EAGAIN (the mode belongs
		// to what was opened, and is shared by all descriptors of it).
		fd := int(f.Fd())
		// Descriptors 0 to 2 of ours would be overwritten on the way.
		if fd < 3 {
			var err error
			if fd, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3); err != nil {
				return nil, fmt.Errorf("dup: %w", err)
			}
			s.theirs = append(s.theirs, os.NewFile(uintptr(fd), f.Name()))
		}
		s.fds[i] = fd
	}
	return s, nil
}
