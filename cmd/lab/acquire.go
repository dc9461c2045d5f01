package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"lab/bench/testbed"
)

// waitFlag gives a command that takes the machine's lock its --wait.
func (a *app) waitFlag(fl *pflag.FlagSet) {
	fl.BoolVar(&a.wait, "wait", false, "wait while another lab holds the machine, instead of failing")
}

// acquire takes the machine's lock, and with --wait waits for it until a signal
// comes that ends this program; sigs may be nil.
func (a *app) acquire(exclusive bool, sigs <-chan os.Signal) (*testbed.Lock, error) {
	for told := false; ; {
		lock, err := testbed.Acquire(exclusive)
		var busy *testbed.BusyError
		if !a.wait || !errors.As(err, &busy) {
			return lock, err
		}
		if !told {
			fmt.Fprintf(a.note, "lab: waiting: %s\n", busy.Holder())
			told = true
		}
		select {
		case s := <-sigs:
			if n, ok := s.(syscall.Signal); ok && n != syscall.SIGWINCH {
				return nil, &statusError{128 + int(n), nil}
			}
		case <-time.After(200 * time.Millisecond):
		}
	}
}
