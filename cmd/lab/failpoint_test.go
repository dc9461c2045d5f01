package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
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
	unix.SYS_WRITE: "write", unix.SYS_PWRITE64: "pwrite64", unix.SYS_FSYNC: "fsync", unix.SYS_FCHMOD: "fchmod", unix.SYS_FCHMODAT: "fchmodat", unix.SYS_CONNECT: "connect",
	unix.SYS_LISTEN: "listen", unix.SYS_CHROOT: "chroot", unix.SYS_SETHOSTNAME: "sethostname", unix.SYS_LSETXATTR: "lsetxattr", unix.SYS_FALLOCATE: "fallocate",
	unix.SYS_SENDMSG: "sendmsg", unix.SYS_SOCKETPAIR: "socketpair", unix.SYS_SYNCFS: "syncfs", unix.SYS_UTIMENSAT: "utimensat",
}

// legacy are those that arm64 doesn't have.
var legacy = map[string]map[string]uintptr{"amd64": {"mkdir": 83, "chmod": 90, "rename": 82, "symlink": 88, "mknod": 133, "lchown": 94, "chown": 92, "open": 2, "fork": 57, "vfork": 58}}

// failMain is failing CMD ARG…: it executes the command with a filter that asks about
// its calls, after it has said which descriptor to ask through.
func failMain(args []string) int {
	runtime.LockOSThread()
	fd, err := askAbout()
	// By a call that isn't asked about: nobody answers yet.
	tell := func(to int, text string) { unix.Writev(to, [][]byte{[]byte(text + "\n")}) }
	if err == nil {
		tell(1, strconv.Itoa(fd))
		os.Stdin.Read(make([]byte, 1)) // until the test has its own descriptor
		null, _ := os.Open(os.DevNull)
		unix.Dup3(int(null.Fd()), 0, 0)
		unix.Dup3(2, 1, 0)
		err = syscall.Exec(args[0], args[1:], os.Environ())
	}
	tell(2, "failing: "+err.Error())
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
// one that failed; what the calls were made at is counted in places.
func failing(t *testing.T, lab string, args []string, nth int, errno unix.Errno, places map[string]int) (n int, failed, said string, state *os.ProcessState) {
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
	late := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	defer late.Stop()
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
			exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", q.pid))
			at := place(q)
			if err == nil && exe == self && at != "" && !thread(q) {
				n++
				places[at]++
				if n == nth {
					failed = callName(q) + ", " + at
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
