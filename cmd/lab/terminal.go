package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// attach connects the user's terminal with a command's own, whose master end
// it gets: what is typed goes in as it is, Ctrl-C included, and what is printed
// comes out; a change of the window's size is passed on. Where stdin is no
// terminal its bytes are typed all the same. finish waits until all that was
// printed came out, and puts the user's terminal back; its error is output that
// got lost, and then the command's terminal is hung up.
func attach(master, stdin, stdout *os.File) (finish func() error, err error) {
	restore := func() {}
	fd := int(stdin.Fd())
	if term.IsTerminal(fd) {
		before, err := term.MakeRaw(fd)
		if err != nil {
			return nil, fmt.Errorf("terminal: %w", err)
		}
		restore = func() { term.Restore(fd, before) }
		resize := func() {
			if size, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ); err == nil {
				// The kernel tells the command by SIGWINCH.
				unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, size)
			}
		}
		resize()
		changed := make(chan os.Signal, 1)
		signal.Notify(changed, syscall.SIGWINCH)
		go func() {
			for range changed {
				resize()
			}
		}()
	}
	go func() {
		io.Copy(master, stdin)
		// End of input on a terminal is a character: ^D at a line's start.
		master.Write([]byte{4})
	}()
	out := sink{to: stdout}
	printed := make(chan struct{})
	go func() {
		io.Copy(&out, master) // ends with EIO, when nobody has the other end open
		if out.err != nil {
			master.Close()
		}
		close(printed)
	}()
	return func() error {
		<-printed
		restore()
		return out.err
	}, nil
}

// A sink keeps the error of what it writes to apart from that of what is read.
type sink struct {
	to  io.Writer
	err error
}

func (s *sink) Write(b []byte) (n int, err error) {
	n, s.err = s.to.Write(b)
	return n, s.err
}
