package vm

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/digitalocean/go-libvirt"

	"lab/bench"
	"lab/bench/clock"
)

// status says how the guest ended.
//
// A kernel panics when its PID 1 ends, and says with which status: that line on
// the console is the one way in which a guest without any agent of ours tells
// it. It comes after everything that PID 1 wrote.
func (i *instance) status(at clock.Time) (bench.Exit, error) {
	e := bench.Exit{Code: -1, At: at}
	i.mu.Lock()
	killed := i.killed
	i.mu.Unlock()
	if killed != 0 {
		e.Signal = int(killed)
		return e, nil
	}
	if status, ok := panicStatus(tail(i.file(".console"), 64<<10)); ok {
		if e.Code = status >> 8 & 0xff; status&0x7f != 0 {
			e.Code, e.Signal = -1, status&0x7f
		}
		return e, nil
	}
	return e, i.explain(bench.Blamed(bench.BlameMachine, errors.New("the guest ended without the end of its PID 1")))
}

// forget waits until libvirt has noticed the domain's end.
func (i *instance) forget() error {
	t := time.NewTimer(callTimeout)
	defer t.Stop()
	for {
		select {
		case e := <-i.events:
			if e.kind == libvirt.DomainEventStopped {
				return nil
			}
		case <-i.conn.gone:
			return nil // autodestroy: the daemon ends what was this connection's
		case <-t.C:
			return &CallError{"end of domain " + i.cfg.Name, i.conn.drop(callTimeout)}
		}
	}
}

// panicStatus finds the wait status of PID 1 in a console's text: "Kernel panic
// - not syncing: Attempted to kill init! exitcode=0x00000100" (do_exit in the
// kernel's kernel/exit.c; the form is older than 3.0).
func panicStatus(text []byte) (status int, ok bool) {
	_, rest, ok := bytes.Cut(text, []byte("Attempted to kill init! exitcode=0x"))
	if !ok || len(rest) < 8 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(rest[:8]), 16, 32)
	return int(n), err == nil
}

// explain adds to an error what QEMU and the guest said last.
func (i *instance) explain(err error) error {
	// The first lines of QEMU's log are libvirt's, with the command line.
	log := tail(i.qemuLog(), 4<<10)
	var said []string
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, "qemu-system-") && !strings.HasPrefix(line, "/") && !strings.HasPrefix(line, "LC_ALL") {
			said = append(said, strings.TrimSpace(line))
		}
	}
	if len(said) > 0 {
		err = fmt.Errorf("%w; QEMU said: %s", err, strings.Join(said[max(0, len(said)-3):], "; "))
	}
	if text := tail(i.file(".console"), 400); len(text) > 0 {
		err = fmt.Errorf("%w; the console's last lines: %q", err, text)
	}
	return err
}

// qemuLog is where libvirt keeps what it did and what QEMU said.
func (i *instance) qemuLog() string {
	return i.env.bed() + "/log/qemu/" + i.cfg.Name + ".log"
}

// keepLogs copies console and QEMU's log to the results, and removes them.
func (i *instance) keepLogs() error {
	var errs []error
	for _, l := range []struct{ from, to string }{
		{i.file(".console"), i.cfg.Name + ".console"},
		{i.qemuLog(), i.cfg.Name + ".qemu.log"},
	} {
		err := i.keep(l.from, l.to)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
		os.Remove(l.from)
	}
	return errors.Join(errs...)
}

// maxLog bounds a log that is kept: a guest may flood its console.
const maxLog = 1 << 20

func (i *instance) keep(from, to string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := i.env.tb.Log(to)
	if err != nil {
		return err
	}
	defer dst.Close()
	_, err = io.Copy(dst, io.LimitReader(src, maxLog))
	return err
}

// tail reads the last n bytes of a file; nothing where that can't be done.
func tail(path string, n int64) []byte {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil
	}
	b := make([]byte, min(n, st.Size()))
	k, _ := f.ReadAt(b, st.Size()-int64(len(b)))
	return b[:k]
}
