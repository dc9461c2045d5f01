package launch

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// terminal makes a new pseudo-terminal the child's standard descriptors.
func (p *Process) terminal(s *stdio, open func() (master, slave *os.File, err error)) error {
	master, slave, err := open()
	if err != nil {
		return fmt.Errorf("open a terminal: %w", err)
	}
	p.tty = master
	s.theirs = append(s.theirs, slave)
	fd := int(slave.Fd())
	s.fds, s.nulls = [3]int{fd, fd, fd}, nil
	return nil
}

// ownTerminal makes one in the lab's own /dev/pts, while that can be seen.
func ownTerminal() (master, slave *os.File, err error) {
	return OpenTerminal(unix.AT_FDCWD, "/dev/ptmx")
}

// OpenTerminal makes a pseudo-terminal by opening the multiplexer called ptmx
// below the folder dir. The other end is opened through the master itself, by
// TIOCGPTPEER (Linux 4.13), never by the name it has in a /dev/pts that
// somebody else may have arranged.
func OpenTerminal(dir int, ptmx string) (master, slave *os.File, err error) {
	m, err := unix.Openat(dir, ptmx, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, &os.PathError{Op: "open", Path: ptmx, Err: err}
	}
	if err := unix.IoctlSetPointerInt(m, unix.TIOCSPTLCK, 0); err != nil {
		unix.Close(m)
		return nil, nil, os.NewSyscallError("unlock terminal", err)
	}
	n, err := unix.IoctlGetInt(m, unix.TIOCGPTN)
	if err != nil {
		unix.Close(m)
		return nil, nil, os.NewSyscallError("number of terminal", err)
	}
	s, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(m), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if errno != 0 {
		unix.Close(m)
		return nil, nil, os.NewSyscallError("open terminal's peer", errno)
	}
	name := "/dev/pts/" + strconv.Itoa(n)
	return os.NewFile(uintptr(m), "ptmx"), os.NewFile(s, name), nil
}
