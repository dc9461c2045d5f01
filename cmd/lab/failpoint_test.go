package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Where the lab makes an object of the kernel's or a file, that can fail, or the lab
// can be killed there. No hook in the program is needed for it: the kernel asks a
// test before each such system call (seccomp(2), SECCOMP_RET_USER_NOTIF), and does
// what it is told, to the lab's own calls alone.

// failpoints are the calls that make something.
var failpoints = map[uintptr]string{
	unix.SYS_MKDIRAT: "mkdirat", unix.SYS_UNSHARE: "unshare", unix.SYS_MOUNT: "mount", unix.SYS_OPEN_TREE: "open_tree", unix.SYS_MOVE_MOUNT: "move_mount",
	unix.SYS_FSOPEN: "fsopen", unix.SYS_FSCONFIG: "fsconfig", unix.SYS_FSMOUNT: "fsmount", unix.SYS_MOUNT_SETATTR: "mount_setattr", unix.SYS_PIVOT_ROOT: "pivot_root",
	unix.SYS_SYMLINKAT: "symlinkat", unix.SYS_MKNODAT: "mknodat", unix.SYS_LINKAT: "linkat", unix.SYS_RENAMEAT: "renameat", unix.SYS_RENAMEAT2: "renameat2",
	unix.SYS_SETXATTR: "setxattr", unix.SYS_FSETXATTR: "fsetxattr", unix.SYS_FLOCK: "flock", unix.SYS_PIPE2: "pipe2", unix.SYS_SOCKET: "socket", unix.SYS_BIND: "bind",
	unix.SYS_SENDTO: "sendto", unix.SYS_MEMFD_CREATE: "memfd_create", unix.SYS_PIDFD_OPEN: "pidfd_open", unix.SYS_CLONE: "clone", unix.SYS_CLONE3: "clone3",
	unix.SYS_SETNS: "setns", unix.SYS_FCHOWNAT: "fchownat", unix.SYS_FCHOWN: "fchown", unix.SYS_FTRUNCATE: "ftruncate", unix.SYS_OPENAT: "openat",
}

// legacy are those that arm64 doesn't have.
var legacy = map[string]map[string]uintptr{"amd64": {"mkdir": 83, "rename": 82, "symlink": 88, "mknod": 133, "lchown": 94, "chown": 92, "open": 2, "fork": 57, "vfork": 58}}

// failMain is failing CMD ARG…: it executes the command with a filter that asks about
// its calls, after it has said which descriptor to ask through.
func failMain(args []string) int {
	runtime.LockOSThread()
	fd, err := askAbout()
	if err == nil {
		fmt.Printf("%d\n", fd)
		os.Stdin.Read(make([]byte, 1)) // until the test has its own descriptor
		null, _ := os.Open(os.DevNull)
		unix.Dup3(int(null.Fd()), 0, 0)
		unix.Dup3(2, 1, 0)
		err = syscall.Exec(args[0], args[1:], os.Environ())
	}
	fmt.Fprintln(os.Stderr, "failing:", err)
	return 99
}

// askAbout sets the filter for this thread, and what it will execute.
func askAbout() (fd int, err error) {
	calls := failpoints
	for name, nr := range legacy[runtime.GOARCH] {
		calls[nr] = name
	}
	const ask, allow = 0x7fc00000, 0x7fff0000 // SECCOMP_RET_USER_NOTIF, SECCOMP_RET_ALLOW
	prog := []bpf.Instruction{bpf.LoadAbsolute{Off: 0, Size: 4}}
	for nr := range calls {
		switch nr {
		case unix.SYS_OPENAT: // only what makes a file
			prog = append(prog, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(nr), SkipTrue: 4}, bpf.LoadAbsolute{Off: 16 + 2*8, Size: 4},
				bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: unix.O_CREAT, SkipFalse: 1}, bpf.RetConstant{Val: ask}, bpf.RetConstant{Val: allow})
		case unix.SYS_CLONE: // Go's threads are the runtime's own affair
			prog = append(prog, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(nr), SkipTrue: 4}, bpf.LoadAbsolute{Off: 16, Size: 4},
				bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: unix.CLONE_THREAD, SkipTrue: 1}, bpf.RetConstant{Val: ask}, bpf.RetConstant{Val: allow})
		default:
			prog = append(prog, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(nr), SkipTrue: 1}, bpf.RetConstant{Val: ask})
		}
	}
	raw, err := bpf.Assemble(append(prog, bpf.RetConstant{Val: allow}))
	if err != nil {
		return 0, err
	}
	filter := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		filter[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return 0, err
	}
	p := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	const listener, killable = 1 << 3, 1 << 5 // SECCOMP_FILTER_FLAG_NEW_LISTENER, …_WAIT_KILLABLE_RECV
	n, _, errno := unix.Syscall(unix.SYS_SECCOMP, 1, listener|killable, uintptr(unsafe.Pointer(&p)))
	if errno != 0 {
		return 0, os.NewSyscallError("seccomp", errno)
	}
	return int(n), nil
}

// asked is struct seccomp_notif, answer struct seccomp_notif_resp.
type asked struct {
	id         uint64
	pid, flags uint32
	nr         int32
	arch       uint32
	ip         uint64
	args       [6]uint64
}

type answer struct {
	id    uint64
	value int64
	errno int32
	flags uint32
}

const (
	notifRecv = 0xc0502100
	notifSend = 0xc0182101
	goOn      = 1 // SECCOMP_USER_NOTIF_FLAG_CONTINUE
)

// killed is the errno that stands for SIGKILL.
const killed = unix.Errno(0)

// failing runs a command of the lab's of which the nth call of its own (from 1) fails
// with an errno; 0 is none. It returns how many calls there were, and the name of the
// one that failed.
func failing(t *testing.T, lab string, args []string, nth int, errno unix.Errno) (n int, failed, said string, state *os.ProcessState) {
	t.Helper()
	helper := filepath.Join(filepath.Dir(lab), "failing")
	cmd := exec.Command(helper, append([]string{lab, lab}, args...)...)
	cmd.Env = append(os.Environ(), "GODEBUG=asyncpreemptoff=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.WaitDelay = 10 * time.Second
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var theirs int
	if _, err := fmt.Fscan(out, &theirs); err != nil {
		cmd.Wait()
		t.Skipf("SKIPPED: no seccomp with notifications (Linux 5.19): %s", stderr.String())
	}
	pidfd, err := unix.PidfdOpen(cmd.Process.Pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.PidfdGetfd(pidfd, theirs, 0)
	unix.Close(pidfd)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		defer unix.Close(fd)
		self, _ := os.Executable()
		for {
			poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
			if _, err := unix.Poll(poll, -1); err == unix.EINTR {
				continue
			}
			if poll[0].Revents&unix.POLLIN == 0 { // nobody is left who could ask
				return
			}
			var q asked
			if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), notifRecv, uintptr(unsafe.Pointer(&q))); e != 0 {
				continue // whoever asked is dead
			}
			a := answer{id: q.id, flags: goOn}
			if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", q.pid)); err == nil && exe == self && !thread(q) {
				n++
				if n == nth {
					failed = failpoints[uintptr(q.nr)]
					for name, nr := range legacy[runtime.GOARCH] {
						if nr == uintptr(q.nr) {
							failed = name
						}
					}
					a.errno, a.flags = -int32(errno), 0
					if errno == killed {
						unix.Kill(int(q.pid), unix.SIGKILL)
						continue
					}
				}
			}
			unix.Syscall(unix.SYS_IOCTL, uintptr(fd), notifSend, uintptr(unsafe.Pointer(&a)))
		}
	}()
	in.Write([]byte{'\n'})
	done := make(chan struct{})
	go func() { cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(60 * time.Second):
		cmd.Process.Signal(unix.SIGQUIT)
		time.Sleep(time.Second)
		cmd.Process.Kill()
		<-done
		t.Fatalf("%q hangs where call %d, %s, gives %v: %s", args, nth, failed, errno, stderr.String())
	}
	select { // its watcher, too, has ended
	case <-served:
	case <-time.After(20 * time.Second):
		t.Fatalf("%q: somebody is left where call %d, %s, gives %v", args, nth, failed, errno)
	}
	return n, failed, stderr.String(), cmd.ProcessState
}

// thread says whether a call makes a thread, by a C library: the runtime's own affair,
// as are those that Go makes by itself.
func thread(q asked) bool {
	if q.nr != unix.SYS_CLONE3 {
		return false
	}
	f, err := os.Open(fmt.Sprintf("/proc/%d/mem", q.pid))
	if err != nil {
		return false
	}
	defer f.Close()
	var flags [8]byte
	_, err = f.ReadAt(flags[:], int64(q.args[0]))
	return err == nil && binary.NativeEndian.Uint64(flags[:])&unix.CLONE_THREAD != 0
}

// TestFailpoints has each call fail by which the lab makes something, in each way: a
// clean error or a clean death, and nothing is left. LAB_FAILPOINTS says how many, at
// random; all of them is "make chaos".
func TestFailpoints(t *testing.T) {
	needs(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	lab := filepath.Join(dir, "lab")
	for _, name := range []string{lab, filepath.Join(dir, "failing")} {
		if err := os.Symlink(self, name); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command(lab, "exec", "container", "--", "true").CombinedOutput(); err != nil { // the image is there
		t.Fatalf("%v: %s", err, out)
	}
	type point struct {
		args  []string
		nth   int
		errno unix.Errno
	}
	var points []point
	for _, args := range [][]string{
		{"exec", "host", "--memory", "64M", "--", "true"},
		{"exec", "chroot", "--", "true"},
		{"exec", "container", "--memory", "64M", "--net", "bridge", "--", "true"},
		{"exec", "container", "--variant", "user=yes,time=yes", "--", "true"},
		{"run", "startup", "--env", "host,container", "-r", "1", "--out", filepath.Join(dir, "r")},
	} {
		n, _, said, state := failing(t, lab, args, 0, 0)
		os.RemoveAll(filepath.Join(dir, "r"))
		if !state.Success() {
			if strings.Contains(said, "unavailable: ") {
				t.Logf("without %q: %s", args, said)
				continue
			}
			t.Fatalf("%q, undisturbed: %v: %s", args, state, said)
		}
		t.Logf("%d calls of %q", n, args)
		for nth := 1; nth <= n; nth++ {
			for _, errno := range []unix.Errno{unix.EPERM, unix.ENOSPC, unix.EINTR, unix.EBUSY, unix.ENOMEM, killed} {
				points = append(points, point{args, nth, errno})
			}
		}
	}
	all := len(points)
	rand.Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
	n := 120
	if s := os.Getenv("LAB_FAILPOINTS"); s == "all" {
		n = all
	} else if s != "" {
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal("LAB_FAILPOINTS: ", err)
		}
	}
	points = points[:min(n, all)]
	before, ways := left(t, ""), map[string]int{}
	for _, p := range points {
		_, name, said, state := failing(t, lab, p.args, p.nth, p.errno)
		how := "killed"
		if p.errno != killed {
			how = unix.ErrnoName(p.errno)
		}
		what := fmt.Sprintf("%q, call %d (%s): %s", p.args, p.nth, name, how)
		ws := state.Sys().(syscall.WaitStatus)
		switch {
		case strings.Contains(said, "goroutine ") || strings.Contains(said, "fatal error:"):
			t.Errorf("%s: it crashes: %s", what, said)
		case state.Success():
			ways["all the same"]++
		case p.errno == killed && (ws.Signaled() && ws.Signal() == unix.SIGKILL || state.ExitCode() == 128+int(unix.SIGKILL)):
			ways["killed"]++ // the lab, or the process that was to become the workload
		case !ws.Exited() || !slices.Contains([]int{1, 3, 125}, state.ExitCode()) || !strings.Contains(said, "lab: "):
			t.Errorf("%s: %v, and it says %q", what, state, said)
		default:
			ways["an error"]++
		}
		var more []string
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(2 * time.Millisecond) {
			if more = without(left(t, ""), before); len(more) == 0 || time.Now().After(end) {
				break
			}
		}
		if len(more) > 0 {
			t.Errorf("%s: left: %q; it said %q", what, more, said)
			exec.Command(lab, "clean").Run()
		}
		if _, err := os.Stat(filepath.Join(dir, "r")); err == nil {
			if out, err := exec.Command(lab, "report", filepath.Join(dir, "r")).CombinedOutput(); err != nil {
				t.Errorf("%s: the results can't be read: %s", what, out)
			}
			os.RemoveAll(filepath.Join(dir, "r"))
		} else if !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
	}
	t.Logf("%d of %d: %v", len(points), all, ways)
}
