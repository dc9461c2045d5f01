package vm

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"lab/bench"
	"lab/bench/clock"
	"lab/bench/image"
	"lab/vm/domain"
	"lab/vm/guest"
)

// Whatever breaks, a trial ends, its error says what it was, and the next trial
// works. Each of these has a deadline: nothing waits for ever.

// works runs a trial as it should be.
func works(t *testing.T, e *Env) {
	t.Helper()
	token := bench.Token()
	i := start(t, e, spec(t, e, image.ReadyPath, token))
	if _, err := clock.AwaitToken(i.Ready(), []byte(token), 30*time.Second); err != nil {
		t.Errorf("the next trial: %v", err)
	}
	if err := i.Close(); err != nil {
		t.Errorf("the next trial: %v", err)
	}
}

// says expects an error with some words in it, within some time.
func says(t *testing.T, began time.Time, most time.Duration, err error, words ...string) {
	t.Helper()
	if took := time.Since(began); took > most {
		t.Errorf("it took %v, more than %v", took, most)
	}
	if err == nil {
		t.Fatalf("no error, want one that says %q", words)
	}
	t.Log(err)
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q doesn't say %q", err, w)
		}
	}
}

func TestDaemonStopped(t *testing.T) {
	e := open(t)
	d := e.own.Now()
	if err := d.Proc.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	i, err := e.Prepare(within(t, time.Minute), spec(t, e, image.ReadyPath, "token"))
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	err = i.Start(within(t, time.Second))
	says(t, began, 11*time.Second, err, "create domain", "no answer")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v isn't the context's error", err)
	}
	if err := i.Close(); err != nil {
		t.Error(err)
	}
	works(t, e)
	if e.own.Now() == d {
		t.Error("the daemon wasn't replaced")
	}
}

func TestDaemonKilled(t *testing.T) {
	e := open(t)
	i := start(t, e, spec(t, e, "/bin/sleep", "1000"))
	if err := e.own.Now().Proc.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-e.own.Now().Ended
	// The guest lives on, and can be ended.
	if !i.alive() {
		t.Error("the guest died with the daemon")
	}
	began := time.Now()
	if err := i.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("Close took %v", took)
	}
	works(t, e)
}

func TestDaemonKilledDuringStart(t *testing.T) {
	e := open(t)
	i, err := e.Prepare(within(t, time.Minute), spec(t, e, "/bin/sleep", "1000"))
	if err != nil {
		t.Fatal(err)
	}
	d := e.own.Now()
	w := guest.WatchOpen(e.emulator) // QEMU is being started
	go func() {
		<-w.At
		d.Proc.Signal(syscall.SIGKILL)
	}()
	began := time.Now()
	err = i.Start(within(t, 30*time.Second))
	says(t, began, 10*time.Second, err, "create domain", "daemon ended", "signal 9")
	w.Stop()
	if err := i.Close(); err != nil {
		t.Error(err)
	}
	works(t, e)
}

func TestQEMUKilled(t *testing.T) {
	e := open(t)
	i := start(t, e, spec(t, e, image.ReadyPath, "token"))
	if err := syscall.Kill(i.pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	_, err := clock.AwaitToken(i.Ready(), []byte("token"), 20*time.Second)
	says(t, began, 5*time.Second, i.Explain(err), "never wrote its token", "QEMU was killed by signal 9 (SIGKILL)")
	_, err = i.Wait(within(t, 10*time.Second))
	says(t, began, 5*time.Second, err, "ended without the end of its PID 1", "QEMU was killed by signal 9 (SIGKILL)")
	if who := bench.Whose(err); who != bench.BlameMachine {
		t.Errorf("blames %s", who)
	}
	i.Close()
	works(t, e)
}

func TestQEMUStopped(t *testing.T) {
	e := open(t)
	i := start(t, e, spec(t, e, image.ReadyPath, "token"))
	if err := syscall.Kill(i.pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	_, err := clock.AwaitToken(i.Ready(), []byte("token"), 2*time.Second)
	says(t, began, 5*time.Second, i.Explain(err), "never wrote its token", "QEMU was stopped by a signal")
	_, err = i.Wait(within(t, 100*time.Millisecond))
	says(t, began, 5*time.Second, err, "deadline")
	i.Close()
	works(t, e)
}

func TestGuestPanics(t *testing.T) {
	e := open(t)
	s := spec(t, e, "/data")
	s.Image = withScript(t, "")
	if err := os.WriteFile(filepath.Join(s.Image.Dir, "data"), []byte("no format that a kernel executes"), 0o755); err != nil {
		t.Fatal(err)
	}
	s.Image.Digest = ""
	i := start(t, e, s)
	began := time.Now()
	_, err := clock.AwaitToken(i.Ready(), []byte("token"), 20*time.Second)
	says(t, began, 15*time.Second, i.Explain(err), "never wrote its token", "Kernel panic")
	_, err = i.Wait(within(t, 10*time.Second))
	says(t, began, 15*time.Second, err, "execute /data: exec format error")
	if who := bench.Whose(err); who != bench.BlameWorkload {
		t.Errorf("blames %s", who)
	}
	i.Close()
}

func TestGuestNeverReady(t *testing.T) {
	e := open(t)
	i := start(t, e, spec(t, e, "/bin/sleep", "1000"))
	began := time.Now()
	_, err := clock.AwaitToken(i.Ready(), []byte("token"), 3*time.Second)
	says(t, began, 5*time.Second, i.Explain(err), "never wrote its token", "the guest runs on")
	i.Close()
}

// A console that nobody reads holds the guest up, and nothing else.
func TestGuestFloods(t *testing.T) {
	e := open(t)
	i := start(t, e, spec(t, e, "/bin/yes", "0123456789"))
	began := time.Now()
	_, err := i.Wait(within(t, 4*time.Second))
	says(t, began, 8*time.Second, err, "deadline")
	if err := i.Close(); err != nil {
		t.Error(err)
	}
	works(t, e)
}

// A guest without an init that answers: the start ends by its deadline.
func TestInitSilent(t *testing.T) {
	e := open(t)
	s := spec(t, e, "/bin/sleep", "1000")
	s.Init = true
	b, err := e.Prepare(within(t, time.Minute), s)
	if err != nil {
		t.Fatal(err)
	}
	i := b.(*instance)
	line, err := (domain.Cmdline{Init: "/bin/sleep", Args: []string{"1000"}}).String()
	if err != nil {
		t.Fatal(err)
	}
	i.cfg.Cmdline = line
	began := time.Now()
	err = i.Start(within(t, 4*time.Second))
	says(t, began, 10*time.Second, err, "didn't say hello")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v isn't the context's error", err)
	}
	if err := i.Close(); err != nil {
		t.Error(err)
	}
}

// A guest floods an output that nobody takes, and then ends itself: whoever waits
// for it learns of it all the same.
func TestOutputNobodyTakes(t *testing.T) {
	e := open(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	s := spec(t, e, "/bin/sh", "-c", "yes & sleep 1; reboot -f")
	s.Init, s.Command.Stdout = true, w
	i := start(t, e, s)
	began := time.Now()
	_, err = i.Wait(within(t, 30*time.Second))
	says(t, began, 15*time.Second, err, "the guest's init is gone", "QEMU")
	r.Close() // for the reader that is held up by it
	began = time.Now()
	if err := i.Close(); err != nil || time.Since(began) > 5*time.Second {
		t.Errorf("close: %v after %v", err, time.Since(began))
	}
}
