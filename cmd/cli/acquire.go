package cli

import (
	"errors"
	"os"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"lab/bench/testbed"
)

// WaitFlag gives a command that takes the machine's lock its --wait.
func (a *App) WaitFlag(fl *pflag.FlagSet) {
	fl.BoolVar(&a.wait, "wait", false, "wait while another lab holds the machine, instead of failing")
}

// Acquire takes the machine's lock, and with --wait waits for it until a signal
// comes that ends this program; sigs, which is asked for them then, may be nil.
func (a *App) Acquire(exclusive bool, sigs func() <-chan os.Signal) (*testbed.Lock, error) {
	var come <-chan os.Signal
	for told := false; ; {
		lock, err := testbed.Acquire(exclusive)
		var busy *testbed.BusyError
		if !a.wait || !errors.As(err, &busy) {
			return lock, err
		}
		if !told {
			a.Tell("waiting: " + busy.Holder())
			told = true
			if sigs != nil {
				come = sigs()
			}
		}
		select {
		case s := <-come:
			if n, ok := s.(syscall.Signal); ok && n != syscall.SIGWINCH {
				return nil, &StatusError{128 + int(n), nil}
			}
		case <-time.After(200 * time.Millisecond):
		}
	}
}
