package testbed

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"lab/bench/cgroup"
	"lab/bench/input"
)

// A Worker is the process that lives in the testbed, as its supervisor sees
// it.
type Worker struct {
	cmd     *exec.Cmd
	folder  *os.File
	watcher Watcher
	ooms    int64 // when it was started
}

// Spawn starts this program again, with args, as PID 1 of new mount, network,
// PID and IPC namespaces, and in a session of its own: the terminal's Ctrl-C
// doesn't reach it. files are its descriptors from 4 on (3 is the run
// folder's). Its standard output and error are stderr.
//
// The kernel kills it when the calling thread ends, so the caller must be
// locked to the main thread. What is left when that process is killed the
// undertaker removes.
func Spawn(u Undertaker, args []string, stderr *os.File, files ...*os.File) (*Worker, error) {
	if unix.Gettid() != unix.Getpid() {
		return nil, fmt.Errorf("spawn worker: not called from the main thread")
	}
	folder, watcher, err := newFolder(u)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Args[0] = os.Args[0]
	cmd.Stdout, cmd.Stderr = stderr, stderr
	cmd.ExtraFiles = append([]*os.File{folder}, files...)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWPID | unix.CLONE_NEWIPC,
		Setsid:     true,
		Pdeathsig:  syscall.SIGKILL,
	}
	ooms := OOMKills()
	if err := cmd.Start(); err != nil {
		removeFolder(folder)
		folder.Close()
		closeWatcher(watcher)
		return nil, fmt.Errorf("spawn worker: %w", err)
	}
	return &Worker{cmd, folder, watcher, ooms}, nil
}

// Kill ends the worker at once, and with it all in the testbed.
func (w *Worker) Kill() { w.cmd.Process.Kill() }

// Wait waits for the worker's end, and removes what is left of its testbed. An
// error that wraps an exec.ExitError says how the worker died: "was killed by …".
func (w *Worker) Wait() error {
	err := w.cmd.Wait()
	defer closeWatcher(w.watcher)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		if ws, ok := exit.Sys().(syscall.WaitStatus); ok {
			err = &deathError{Death(unix.WaitStatus(ws), w.ooms), err}
		}
	}
	defer w.folder.Close()
	_, berr := bury(w.folder)
	return cmp.Or(err, berr)
}

// Enter makes the testbed in a worker that Spawn started; groups as Local's.
func Enter(cache string, uid, gid int, groups *cgroup.Options) (*Testbed, error) {
	if os.Getpid() != 1 {
		return nil, fmt.Errorf("enter testbed: not PID 1 of a PID namespace")
	}
	folder := os.NewFile(3, "testbed")
	unix.CloseOnExec(3)
	// First of all: until then our mounts would appear on the whole machine
	// where / is shared, which is systemd's default; and the parent's /proc
	// shows the machine's processes, under its numbers.
	if err := mountProc(); err != nil {
		return nil, fmt.Errorf("enter testbed: %w", err)
	}
	firstToGo()
	// The name that /proc gives for the descriptor is a path like any other.
	name, err := os.Readlink("/proc/self/fd/3")
	if err != nil {
		return nil, fmt.Errorf("enter testbed: %w", err)
	}
	tb := &Testbed{ID: filepath.Base(name), Dir: name, Cache: cache, UID: uid, GID: gid,
		Private: true, folder: folder}
	if err := tb.isolate(); err != nil {
		return nil, fmt.Errorf("enter testbed: %w", err)
	}
	// What is seen here under the folder's name is the tmpfs. A sweep in here
	// must find that locked, too.
	if tb.top, err = lockFolder(name, unix.LOCK_EX); err != nil {
		return nil, fmt.Errorf("enter testbed: %w", err)
	}
	if err := tb.cgroups(groups); err != nil {
		return nil, fmt.Errorf("enter testbed: %w", err)
	}
	return tb, nil
}

// firstToGo has the kernel take this process, and all that it starts from now on, before
// any other when memory runs out: the machine's sshd isn't what ends then. The score
// (proc_pid_oom_score_adj(5)) adds half of all memory to what a process has; one that was
// set higher stays. Where that can't be done nothing is lost but the courtesy.
func firstToGo() {
	const file, score = "/proc/self/oom_score_adj", 500
	var now int
	if text, err := input.Kernel(file); err == nil {
		fmt.Sscan(string(text), &now)
	}
	if now < score {
		os.WriteFile(file, fmt.Append(nil, score), 0)
	}
}

func mountProc() error {
	// rslave rather than private, so that what the user unmounts goes here, too.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("make mounts slaves: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount proc: %w", err)
	}
	return nil
}

// isolate makes the mounts and the loopback device of a new testbed.
func (tb *Testbed) isolate() error {
	// A sysfs shows the network devices of the namespace that mounted it. The
	// new one would hide the cgroup mounts, so these are carried over.
	cg, err := unix.OpenTree(unix.AT_FDCWD, "/sys/fs/cgroup", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_RECURSIVE)
	if err != nil {
		return fmt.Errorf("open /sys/fs/cgroup: %w", err)
	}
	defer unix.Close(cg)
	if err := unix.Mount("sysfs", "/sys", "sysfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount sysfs: %w", err)
	}
	if err := unix.MoveMount(cg, "", unix.AT_FDCWD, "/sys/fs/cgroup", unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("move cgroup mounts: %w", err)
	}
	if err := unix.Mount("tmpfs", tb.Dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=700"); err != nil {
		return fmt.Errorf("mount tmpfs on %s: %w", tb.Dir, err)
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("lo: %w", err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return fmt.Errorf("set lo up: %w", err)
	}
	return nil
}
