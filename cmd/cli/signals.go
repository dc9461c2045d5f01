package cli

import (
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"lab/bench"
)

// PassedOn are the signals that exec passes on to its command.
var PassedOn = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT,
	syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH}

// PassSignals passes signals on. The third that asks for an end is a SIGKILL: a
// container's first process ignores every signal that it has no handler for
// (pid_namespaces(7)), and the user is pressing Ctrl-C; before that, if the command
// isn't done soon after the first one, a note says so. late is closed when one
// asks for the end of what has ended.
func PassSignals(sigs <-chan os.Signal, done <-chan struct{}, p bench.Process, note io.Writer) (late <-chan struct{}) {
	c := make(chan struct{})
	go func() {
		var asked Asks
		var unheard <-chan time.Time
		for {
			select {
			case s := <-sigs:
				ends := s == syscall.SIGINT || s == syscall.SIGTERM || s == syscall.SIGHUP
				if asked.Enough(s) {
					s = syscall.SIGKILL
				}
				if s == syscall.SIGINT && asked == 1 && done != nil {
					unheard = time.After(300 * time.Millisecond)
				}
				if err := p.Signal(s); err != nil && ends {
					close(c)
					return
				}
			case <-unheard:
				unheard = nil
				times := map[Asks]string{1: "twice", 2: "once"}[asked]
				if times != "" {
					fmt.Fprintf(note, "lab: Ctrl-C was passed on to the command, which is still running; %s more ends it\n", times)
				}
			case <-done:
				done, unheard = nil, nil
			}
		}
	}()
	return c
}

// Asks counts the signals that ask for an end.
type Asks int

// Enough says whether this signal, after those before it, is to be obeyed
// whatever the command thinks of it.
func (n *Asks) Enough(s os.Signal) bool {
	if s == syscall.SIGINT || s == syscall.SIGTERM {
		*n++
	}
	return *n >= 3
}
