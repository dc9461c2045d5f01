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
// printed came out, and puts the user's terminal back.
func attach(master, stdin, stdout *os.File) (finish func(), err error) {
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
	printed := make(chan struct{})
	go func() {
		io.Copy(stdout, master) // ends with EIO, when nobody has the other end open
		close(printed)
	}()
	return func() {
		<-printed
		restore()
	}, nil
}
