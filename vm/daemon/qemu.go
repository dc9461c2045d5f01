package daemon

import (
	"os"
	"os/signal"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"lab/bench/proc"
)

// QEMUSaid finds in a domain's log what QEMU itself wrote: lines that begin
// with a time and its name, but for warnings, and what KVM did to it. The others
// are libvirt's, with the command line, and registers.
func QEMUSaid(log []byte) string {
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

// Tail reads the last n bytes of a file; nothing where that can't be done.
func Tail(path string, n int64) []byte {
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

// A reaper waits for QEMU processes that ended.
//
// libvirt detaches each QEMU from itself, so the kernel makes it a child of the
// PID namespace's first process, which is the lab. A zombie's PID still
// answers kill(pid, 0), and libvirt asks in that way whether a QEMU that it
// killed is gone: without a reaper it would ask for many seconds, each time.
//
// wait4(-1) would take the exit status away from others in this program who
// wait for their own children. So a zombie is waited for by its PID, and only
// when it bears the name of QEMU, or of what libvirt starts beside it.
type reaper struct {
	sigs chan os.Signal
	done chan struct{}
	wg   sync.WaitGroup

	mu    sync.Mutex // held while it looks
	holds int        // how many instances want it to look
	ended map[int]unix.WaitStatus
}

func newReaper() *reaper {
	r := &reaper{sigs: make(chan os.Signal, 1), done: make(chan struct{}), ended: make(map[int]unix.WaitStatus)}
	signal.Notify(r.sigs, unix.SIGCHLD)
	r.wg.Add(1)
	go func() {
		defer r.wg.Done()
		for {
			select {
			case <-r.sigs:
				// While no guest lives, a dying child is none of QEMU's,
				// and looking would disturb what is being measured.
				r.mu.Lock()
				if r.holds > 0 {
					r.waitForEnded()
				}
				r.mu.Unlock()
			case <-r.done:
				return
			}
		}
	}()
	return r
}

// Hold makes the reaper look until Release is called as often.
func (r *reaper) Hold() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.holds++
}

// Release returns when nobody looks on its caller's behalf any more.
func (r *reaper) Release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waitForEnded()
	r.holds--
}

// Take waits for a process that has ended, and says how, whoever waited for it
// first; and then for what ended with it.
func (r *reaper) Take(pid int) (ws unix.WaitStatus, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.waitForEnded()
	if ws, ok = r.ended[pid]; ok {
		delete(r.ended, pid)
		return ws, true
	}
	got, err := unix.Wait4(pid, &ws, unix.WNOHANG, nil)
	return ws, err == nil && got == pid
}

// keptEnds bounds what is kept of processes that nobody takes: libvirt asks
// QEMUs what they can do.
const keptEnds = 256

func (r *reaper) close() {
	signal.Stop(r.sigs)
	close(r.done)
	r.wg.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waitForEnded()
}

// qemuName is how every QEMU's comm begins; the kernel cuts it at 15 bytes.
const qemuName = "qemu-system-"

// reaped says whether a zombie is the reaper's to wait for.
func reaped(comm string) bool { return strings.HasPrefix(comm, qemuName) || comm == "virtiofsd" }

// waitForEnded waits for each zombie child that is a QEMU, or its companion.
func (r *reaper) waitForEnded() {
	self := os.Getpid()
	for _, pid := range proc.PIDs() {
		s, ok := proc.Read(pid)
		if !ok || s.State != 'Z' || s.Parent != self || !reaped(s.Name) {
			continue
		}
		var ws unix.WaitStatus
		if got, err := unix.Wait4(pid, &ws, unix.WNOHANG, nil); err == nil && got == pid {
			if len(r.ended) >= keptEnds {
				clear(r.ended)
			}
			r.ended[pid] = ws
		}
	}
}
