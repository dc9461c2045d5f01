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

	"golang.org/x/sys/unix"

	"lab/reports"
)

// callName is what a call is called.
func callName(q asked) string {
	for name, nr := range legacy[runtime.GOARCH] {
		if nr == uintptr(q.nr) {
			return name
		}
	}
	return failpoints[uintptr(q.nr)]
}

// Kinds of place at which a call is made. By them it is judged whether the walk came
// everywhere.
const (
	atFile      = "file"
	atFolder    = "folder"
	atCgroup    = "cgroup folder"
	atLimit     = "cgroup file"
	atKernel    = "file of the kernel's"
	atRequest   = "request of a daemon or of the kernel"
	atSocket    = "socket"
	atNamespace = "namespace"
	atProcess   = "process"
	atMount     = "mount"
	atOther     = "other"
)

// byPath are the calls that name what they make, and which argument does.
var byPath = map[string]int{"mkdir": 0, "mkdirat": 1, "open": 0, "openat": 1, "symlink": 1, "symlinkat": 2, "mknod": 0, "mknodat": 1,
	"linkat": 3, "rename": 1, "renameat": 3, "renameat2": 3, "setxattr": 0, "lsetxattr": 0, "chown": 0, "lchown": 0, "fchownat": 1, "chmod": 0, "fchmodat": 1, "utimensat": 1}

// place says what a call is made at; "" is what nothing depends on: a pipe that is
// written to, a terminal, the null device.
func place(q asked) string {
	name := callName(q)
	switch name {
	case "unshare", "setns":
		return atNamespace
	case "clone", "clone3", "fork", "vfork", "pidfd_open":
		return atProcess
	case "mount", "open_tree", "move_mount", "fsopen", "fsconfig", "fsmount", "mount_setattr", "pivot_root", "chroot":
		return atMount
	case "sendto", "sendmsg":
		return atRequest
	case "socket", "socketpair", "bind", "listen", "connect":
		return atSocket
	}
	path := ""
	if n, ok := byPath[name]; ok {
		path = word(q, n)
	} else {
		path, _ = os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", q.pid, int32(q.args[0])))
	}
	write := strings.Contains(name, "write")
	switch {
	case strings.HasPrefix(path, "socket:"):
		return atRequest
	case write && (!strings.HasPrefix(path, "/") || strings.HasPrefix(path, "/dev/") || strings.HasPrefix(path, "/memfd:")):
		return ""
	case strings.HasPrefix(path, "/sys/fs/cgroup/") && strings.HasPrefix(name, "mkdir"):
		return atCgroup
	case strings.HasPrefix(path, "/sys/fs/cgroup/"):
		return atLimit
	case strings.HasPrefix(path, "/proc/"), strings.HasPrefix(path, "/sys/"):
		return atKernel
	case strings.HasPrefix(name, "mkdir"):
		return atFolder
	case path != "" && strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "/memfd:"):
		return atFile
	}
	return atOther
}

// word is the text that an argument of a call points to.
func word(q asked, n int) string {
	f, err := os.Open(fmt.Sprintf("/proc/%d/mem", q.pid))
	if err != nil {
		return ""
	}
	defer f.Close()
	b := make([]byte, 256)
	k, _ := f.ReadAt(b, int64(q.args[n]))
	b, _, _ = bytes.Cut(b[:k], []byte{0})
	return string(b)
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
// random; all of them is "make chaos", and "vm" is all of one environment's. "all:2/3" is the
// second third: several walks at the same time, each in a testbed of its own, come to the
// end sooner.
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
	// The slow ones make a guest, and another's engine makes a container: some points
	// of theirs are tried with "make chaos", and none else.
	var points, slow []point
	asked, share, shared := strings.Cut(os.Getenv("LAB_FAILPOINTS"), ":")
	part, parts := 1, 1
	if shared {
		if _, err := fmt.Sscanf(share, "%d/%d", &part, &parts); err != nil || part < 1 || part > parts {
			t.Fatalf("LAB_FAILPOINTS: a share is 1/3, not %q", share)
		}
	}
	places, only := map[string]int{}, ""
	if _, err := strconv.Atoi(asked); err != nil && asked != "" && asked != "all" {
		only = asked
	}
	for _, args := range [][]string{
		{"exec", "host", "--memory", "64M", "--", "true"},
		{"exec", "chroot", "--", "true"},
		{"exec", "container", "--memory", "64M", "--net", "bridge", "--", "true"},
		{"exec", "container", "--variant", "user=yes,time=yes", "--", "true"},
		{"run", "startup", "--env", "host,container", "-r", "1", "--out", filepath.Join(dir, "r")},
		{"exec", "crun", "--", "true"},
		{"exec", "podman", "--", "true"},
		{"exec", "docker", "--", "true"},
		{"exec", "vm", "--", "true"},
	} {
		if slices.Contains([]string{"podman", "docker", "vm"}, args[1]) && asked == "" || only != "" && (args[0] != "exec" || args[1] != only) {
			continue
		}
		began := time.Now()
		n, _, said, state := failing(t, lab, args, 0, 0, places)
		os.RemoveAll(filepath.Join(dir, "r"))
		if !state.Success() {
			if strings.Contains(said, "unavailable: ") || strings.Contains(said, "isn't installed") {
				t.Logf("without %q: %s", args, said)
				continue
			}
			t.Fatalf("%q, undisturbed: %v: %s", args, state, said)
		}
		t.Logf("%d calls of %q", n, args)
		into := &points
		if time.Since(began) > 500*time.Millisecond && args[0] == "exec" {
			into = &slow
		}
		for nth := 1; nth <= n; nth++ {
			for i, errno := range []unix.Errno{unix.EPERM, unix.ENOSPC, unix.EINTR, unix.EBUSY, unix.ENOMEM, unix.EIO, killed} {
				if (nth+i)%parts == part-1 {
					*into = append(*into, point{args, nth, errno})
				}
			}
		}
	}
	for _, p := range []string{atFile, atFolder, atCgroup, atLimit, atKernel, atRequest, atSocket, atNamespace, atProcess, atMount} {
		if places[p] == 0 && only == "" {
			t.Errorf("no call is made at a %s: the walk doesn't come everywhere", p)
		}
	}
	all, n, few := len(points)+len(slow), 120, 0
	switch {
	case only != "" && all == 0:
		t.Fatalf("LAB_FAILPOINTS: no points of %s", only)
	case only != "":
		n, few = len(points), len(slow)
	case asked == "all":
		n, few = len(points), (100+parts-1)/parts
	case asked != "":
		if n, err = strconv.Atoi(asked); err != nil {
			t.Fatal("LAB_FAILPOINTS: ", err)
		}
		few = n / 20
	}
	for _, ps := range [][]point{points, slow} {
		rand.Shuffle(len(ps), func(i, j int) { ps[i], ps[j] = ps[j], ps[i] })
	}
	if asked == "all" { // those of a whole run are a hundred times as slow: the others come first
		slices.SortStableFunc(points, func(a, b point) int { return strings.Compare(a.args[0], b.args[0]) })
	}
	points = append(points[:min(n, len(points))], slow[:min(few, len(slow))]...)
	before, ways := left(t, ""), map[string]int{}
	tried := 0
	for _, p := range points {
		// A walk that is too long for the time that there is says how far it came.
		if end, ok := t.Deadline(); ok && time.Until(end) < time.Minute {
			t.Logf("the time was over after %d of %d", tried, len(points))
			break
		}
		tried++
		_, name, said, state := failing(t, lab, p.args, p.nth, p.errno, map[string]int{})
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
			if _, err := reports.Read(filepath.Join(dir, "r")); err != nil {
				t.Errorf("%s: the results can't be read: %v", what, err)
			}
			os.RemoveAll(filepath.Join(dir, "r"))
		} else if !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
	}
	t.Logf("%d of %d: %v; calls at %v", tried, all, ways, places)
}
