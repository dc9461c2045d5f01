package vm

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/clean"
	"lab/bench/clock"
	"lab/bench/launch"
)

// status says how the guest ended.
//
// A kernel panics when its PID 1 ends, and says with which status: that line on
// the console is the one way in which a guest without any agent of ours tells
// it. It comes after everything that PID 1 wrote.
func (i *instance) status(at clock.Time) (bench.Exit, error) {
	e := bench.Exit{Code: -1, At: at}
	i.mu.Lock()
	killed, stuck := i.killed, i.stuck
	i.mu.Unlock()
	switch {
	case killed != 0:
		e.Signal = int(killed)
		return e, nil
	case stuck != "":
		return e, i.explain(bench.Blamed(bench.BlameMachine, errStuck))
	}
	text := tail(i.file(".console"), 64<<10)
	if i.env.bare {
		return i.bareStatus(e)
	}
	if path, errno, ok := notExecuted(text); ok {
		return e, bench.Blamed(bench.BlameWorkload, &launch.ExecError{Path: path, Err: errno})
	}
	if status, ok := panicStatus(text); ok {
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
	select {
	case <-i.stopped:
		return nil
	case <-t.C:
		return &CallError{"end of domain " + i.cfg.Name, i.conn.drop(callTimeout)}
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

var requested = regexp.MustCompile(`Requested init (\S+) failed \(error -(\d+)\)`)

// notExecuted finds in a console's text that the kernel couldn't execute PID 1:
// "Kernel panic - not syncing: Requested init /x failed (error -8)."
// (kernel_init in the kernel's init/main.c).
func notExecuted(text []byte) (path string, errno unix.Errno, ok bool) {
	m := requested.FindSubmatch(text)
	if m == nil {
		return "", 0, false
	}
	n, err := strconv.Atoi(string(m[2]))
	return string(m[1]), unix.Errno(n), err == nil
}

// Explain adds to an error what became of the guest: whether QEMU ended, was
// stopped, or runs on, and what it and the guest said last. It serves those who
// wait for something of the guest that doesn't come.
func (i *instance) Explain(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, clock.ErrClosed) || errors.Is(err, errInitGone) {
		i.awaitEnd()
	}
	switch {
	case !i.alive(): // explain says how
	case processState(i.pid) == 'T':
		err = fmt.Errorf("%w; QEMU was stopped by a signal", err)
	default:
		err = fmt.Errorf("%w; the guest runs on", err)
	}
	return i.explain(err)
}

// processState is a process's state as proc_pid_stat(5) has it; 0 where it is
// gone.
func processState(pid int) byte {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, state, _ := parseStat(b)
	return state
}

// blame says of a failed call whether it was the daemon that ended.
func (e *Env) blame(err error) error {
	e.mu.Lock()
	d := e.daemon
	e.mu.Unlock()
	if d != nil && d.over() {
		return bench.Blamed(bench.BlameMachine, fmt.Errorf("%w: libvirt's daemon ended: %v", err, d.exit))
	}
	return err
}

// awaitEnd waits for an end that has begun: QEMU closes the console and the init's
// channel on its way out, a little before its end is seen.
func (i *instance) awaitEnd() {
	if !i.alive() {
		return
	}
	t := time.NewTimer(time.Second)
	defer t.Stop()
	select {
	case <-i.ended:
	case <-t.C:
	}
}

// explain adds how QEMU ended, if it has, and what it and the guest said last.
func (i *instance) explain(err error) error {
	err = i.cause(err)
	if text := lastWords(tail(i.file(".console"), 64<<10)); len(text) > 0 {
		err = fmt.Errorf("%w; the console's last lines: %q", err, text)
	}
	return err
}

// cause is explain without the guest's words.
func (i *instance) cause(err error) error {
	i.mu.Lock()
	stuck, death := i.stuck, i.death
	i.mu.Unlock()
	switch {
	case stuck != "":
		err = fmt.Errorf("%w; %s", err, stuck)
	case death != "":
		err = fmt.Errorf("%w; QEMU %s", err, death)
	case i.created && !i.alive():
		err = fmt.Errorf("%w; QEMU has ended", err)
	}
	if said := qemuSaid(tail(i.qemuLog(), 4<<10)); said != "" {
		err = fmt.Errorf("%w; QEMU said: %s", err, said)
	}
	return err
}

// lastWords is the end of a console's text; of a kernel's panic the line that
// says why, and not the registers that follow.
func lastWords(text []byte) []byte {
	const most = 300
	if at := bytes.LastIndex(text, []byte("Kernel panic")); at >= 0 {
		line, _, _ := bytes.Cut(text[at:], []byte("\n"))
		return bytes.TrimSpace(line[:min(len(line), most)])
	}
	return text[max(0, len(text)-most):]
}

// qemuSaid finds in a domain's log what QEMU itself wrote: lines that begin
// with a time and its name, but for warnings, and what KVM did to it. The others
// are libvirt's, with the command line, and registers.
func qemuSaid(log []byte) string {
	var said []string
	for line := range strings.Lines(string(log)) {
		if _, rest, ok := strings.Cut(line, " qemu-system-"); ok && strings.Contains(rest, ": ") {
			if strings.Contains(rest, ": warning: ") || strings.Contains(rest, ": terminating on signal 15") {
				continue // of no death; and what libvirt does to a guest that ended itself
			}
			said = append(said, strings.TrimSpace("qemu-system-"+rest))
		} else if strings.HasPrefix(line, "KVM internal error") || strings.HasPrefix(line, "KVM: entry failed") ||
			strings.HasPrefix(line, "error: kvm run failed") || strings.HasPrefix(line, "emulation failure") {
			said = append(said, strings.TrimSpace(line))
		}
	}
	return strings.Join(said[max(0, len(said)-3):], "; ")
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
	// A log is read on a terminal, and what is in it is a guest's.
	w := &clean.Writer{To: dst}
	_, err = io.Copy(w, io.LimitReader(src, maxLog))
	return errors.Join(err, w.Close())
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
