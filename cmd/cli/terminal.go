package cli

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"lab/bench/launch"
)

// attach connects the user's terminal with a command's own, whose master end
// it gets: what is typed goes in as it is, Ctrl-C included, and what is printed
// comes out; a change of the window's size is passed on. Where stdin is no
// terminal its bytes are typed all the same. finish is called after the
// command's end: it waits until all that was printed came out, or abort is
// closed, and puts the user's terminal back. Its error is output that got lost;
// kill was called then, as the command would write on into a full terminal.
func attach(master, stdin, stdout *os.File, kill func()) (finish func(abort <-chan struct{}) error, err error) {
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
	end, err := launch.NewLatch()
	if err != nil {
		restore()
		return nil, err
	}
	go typeAll(master, stdin)
	printed := make(chan error, 1)
	go func() {
		err := launch.Drain(int(master.Fd()), int(stdout.Fd()), end)
		if err != nil {
			err = fmt.Errorf("standard output: some of what the program wrote is lost: %w", err)
			kill()
		}
		printed <- err
	}()
	return func(abort <-chan struct{}) (err error) {
		end.Set()
		select {
		case err = <-printed:
		case <-abort:
		}
		restore()
		return err
	}, nil
}

// typeAll types what comes from in. The end of input on a terminal is no state
// but a character, ^D: whoever reads at that moment is told, and a shell that
// just begins throws it away with all that was typed before. So it is typed
// again and again, ever slower, until nobody is there to read it: an hour of it
// is less than a terminal holds.
func typeAll(master, in *os.File) {
	io.Copy(master, in)
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		if _, err := master.Write([]byte{4}); err != nil {
			return
		}
		time.Sleep(wait)
	}
}
