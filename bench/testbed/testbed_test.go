package testbed_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/benchtest"
	"lab/bench/cgroup"
	"lab/bench/launch"
	"lab/bench/proc"
	"lab/bench/testbed"
)

// asHelper makes the test binary a lab's supervisor, or its worker.
const asHelper = "LAB_TESTBED_HELPER"

// hasUndertaker is set where the helper has one.
const hasUndertaker = "LAB_TESTBED_UNDERTAKER"

// undertaker is the helper's.
func undertaker() testbed.Undertaker {
	if os.Getenv(hasUndertaker) == "" {
		return nil
	}
	return launch.Undertaker(os.Args[0])
}

func TestMain(m *testing.M) {
	switch os.Getenv(asHelper) {
	case "supervisor":
		os.Setenv(asHelper, "worker")
		w, err := testbed.Spawn(undertaker(), nil, os.Stderr, os.Stdout)
		if err == nil {
			err = w.Wait()
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	case "local":
		if err := localLab(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		unix.Pause()
	case "worker":
		if err := worker(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		unix.Pause()
	}
	benchtest.Main(m)
}

// made is what a helper's worker made.
type made struct {
	ID, Dir string
	Cgroups []string
	Session int // of the workload
}

// worker makes everything that a testbed may hold, and says so.
func worker() error {
	tb, err := testbed.Enter(os.TempDir(), 0, 0, &cgroup.Options{Controllers: true})
	if err != nil {
		return err
	}
	if _, err := tb.Network(); err != nil {
		return err
	}
	plan := launch.Plan{Command: bench.Command{Argv: []string{"/bin/sleep", "1000"}}}
	if tb.Cgroups != nil {
		plan.Group = func() (*cgroup.Group, error) { return tb.Cgroups.New(cgroup.Limits{}) }
	}
	if err := launch.New(plan).Start(context.Background()); err != nil {
		return err
	}
	m := made{ID: tb.ID, Dir: tb.Dir}
	if tb.Cgroups != nil {
		m.Cgroups = tb.Cgroups.Dirs()
	}
	return json.NewEncoder(os.NewFile(4, "out")).Encode(m)
}

// localLab is a lab without a worker, whose workload leaves something in the
// background.
func localLab() error {
	tb, err := testbed.Local(os.TempDir(), &cgroup.Options{Controllers: true}, undertaker())
	if err != nil {
		return err
	}
	p := launch.New(launch.Plan{Command: bench.Command{Argv: []string{"/bin/sh", "-c", "sleep 1000 & sleep 1000"}}})
	if err := p.Start(context.Background()); err != nil {
		return err
	}
	copy(tb.Leads(), strconv.Itoa(p.PID()))
	if tb.Cgroups != nil {
		if _, err := tb.Cgroups.New(cgroup.Limits{}); err != nil {
			return err
		}
	}
	m := made{ID: tb.ID, Dir: tb.Dir, Session: p.PID()}
	if tb.Cgroups != nil {
		m.Cgroups = tb.Cgroups.Dirs()
	}
	return json.NewEncoder(os.Stdout).Encode(m)
}

// help starts a helper, and returns when it has made everything.
func help(t *testing.T, as string, undertaken bool) (cmd *exec.Cmd, m made) {
	t.Helper()
	cmd = exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), asHelper+"="+as)
	if undertaken {
		cmd.Env = append(cmd.Env, hasUndertaker+"=yes")
	}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatalf("the helper said %q, %v", line, err)
	}
	if err := json.Unmarshal(line, &m); err != nil {
		t.Fatal(err)
	}
	return cmd, m
}

// With an undertaker nothing is left of a lab that was killed, and no other
// command is needed for it; not even what its workload left in the background.
func TestUndertaken(t *testing.T) {
	benchtest.Testbed(t)
	for _, as := range []string{"supervisor", "local"} {
		t.Run(as, func(t *testing.T) {
			cmd, m := help(t, as, true)
			exist(t, true, append(m.Cgroups, m.Dir)...)
			for end := time.Now().Add(5 * time.Second); m.Session > 0 && len(session(t, m.Session)) < 2; time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatal("the workload left nothing in the background")
				}
			}
			cmd.Process.Kill()
			cmd.Wait()
			gone(t, append(m.Cgroups, m.Dir)...)
			if m.Session > 0 {
				for _, pid := range session(t, m.Session) {
					t.Errorf("PID %d of the workload's session lives on", pid)
				}
			}
		})
	}
	t.Run("stopped", func(t *testing.T) {
		// What is alive is nobody's to bury, stopped or not.
		cmd, m := help(t, "local", true)
		cmd.Process.Signal(unix.SIGSTOP)
		time.Sleep(50 * time.Millisecond)
		testbed.Sweep()
		exist(t, true, append(m.Cgroups, m.Dir)...)
	})
	t.Run("wrongly", func(t *testing.T) {
		// Started by hand it does nothing.
		_, m := help(t, "local", true)
		cmd := exec.Command("/proc/self/exe", testbed.BuryArg, m.Dir, strconv.Itoa(m.Session))
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "not started by a watcher") {
			t.Errorf("%v, %s", err, out)
		}
		exist(t, true, append(m.Cgroups, m.Dir)...)
		if !slices.Contains(session(t, m.Session), m.Session) {
			t.Errorf("the workload, PID %d, was ended", m.Session)
		}
	})
}

// gone waits until none of the paths exists, five seconds at most.
func gone(t *testing.T, paths ...string) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if !slices.ContainsFunc(paths, func(p string) bool { _, err := os.Lstat(p); return err == nil }) {
			return
		}
	}
	exist(t, false, paths...)
}

// session lists the processes of a session that live.
func session(t *testing.T, sid int) (pids []int) {
	t.Helper()
	for _, pid := range proc.PIDs() {
		if s, ok := proc.Read(pid); ok && s.State != 'Z' && s.Session == sid {
			pids = append(pids, pid)
		}
	}
	return pids
}

// Without one, or where that was killed, too: whoever is killed, at once nothing is
// left but folders, and nothing at all after the next lab's sweep.
func TestKilled(t *testing.T) {
	benchtest.Testbed(t)
	for _, who := range []string{"supervisor", "worker", "both"} {
		t.Run(who, func(t *testing.T) {
			cmd, m := help(t, "supervisor", false)
			first, all := inhabitants(t, cmd.Process.Pid)
			if len(all) < 2 {
				t.Fatalf("the testbed has processes %v, want two at least", all)
			}
			var fds []int
			for _, pid := range all {
				fd, err := unix.PidfdOpen(pid, 0)
				if err != nil {
					t.Fatal(err)
				}
				defer unix.Close(fd)
				fds = append(fds, fd)
			}
			if who != "worker" {
				cmd.Process.Kill()
			}
			if who != "supervisor" {
				unix.Kill(first, unix.SIGKILL)
			}
			for i, fd := range fds {
				if !ended(fd) {
					t.Errorf("PID %d of the testbed lives on", all[i])
				}
			}
			cmd.Wait()
			if who == "worker" {
				// Its supervisor has done it all.
				exist(t, false, append(m.Cgroups, m.Dir)...)
				return
			}
			if _, err := testbed.Sweep(); err != nil {
				t.Error(err)
			}
			exist(t, false, append(m.Cgroups, m.Dir)...)
		})
	}
}

// ended waits until the process of a pidfd has, ten seconds at most: the
// descriptor can be read then (pidfd_open(2)).
func ended(fd int) bool {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 10_000)
		if err != unix.EINTR {
			return n == 1
		}
	}
}

// inhabitants lists the processes of the PID namespace that a child of parent
// began, that child first.
func inhabitants(t *testing.T, parent int) (first int, all []int) {
	t.Helper()
	for _, n := range proc.Children(parent) {
		first = n
	}
	ns, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", first))
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			if n, err := os.Readlink("/proc/" + e.Name() + "/ns/pid"); err == nil && n == ns {
				all = append(all, pid)
			}
		}
	}
	return first, all
}

// exist tests whether all of the paths do.
func exist(t *testing.T, want bool, paths ...string) {
	t.Helper()
	for _, p := range paths {
		if _, err := os.Lstat(p); (err == nil) != want {
			t.Errorf("%s: exists: %v, want %v", p, err == nil, want)
		}
	}
}

// In the worker: alone in its namespaces, and no mount reaches the machine.
func TestEntered(t *testing.T) {
	tb := benchtest.Testbed(t)
	if os.Getpid() != 1 || !tb.Private {
		t.Errorf("PID %d, private %v", os.Getpid(), tb.Private)
	}
	if self, err := os.Readlink("/proc/self"); err != nil || self != "1" {
		t.Errorf("/proc/self is %s, %v: not this namespace's /proc", self, err)
	}
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	tmpfs := false
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if slices.ContainsFunc(f[6:], func(s string) bool { return strings.HasPrefix(s, "shared:") }) {
			t.Errorf("a mount that is shared with the machine: %s", line)
		}
		tmpfs = tmpfs || f[4] == tb.Dir && strings.Contains(line, " - tmpfs ")
	}
	if !tmpfs {
		t.Errorf("no tmpfs on %s", tb.Dir)
	}
	if st, err := os.Stat(tb.Dir); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("%s: %v, %v; want it private", tb.Dir, st, err)
	}
	exist(t, true, "/sys/class/net/lo", "/sys/fs/cgroup")
	// What the kernel ends first for want of memory is the testbed's, whatever it starts.
	if score, err := exec.Command("cat", "/proc/self/oom_score_adj").Output(); err != nil || string(score) != "500\n" {
		t.Errorf("oom_score_adj %q, %v", score, err)
	}
	links, err := netlink.LinkList()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range links {
		if n := l.Attrs().Name; n != "lo" && n != testbed.Bridge {
			t.Errorf("a device of the machine is in the testbed: %s", n)
		}
	}
}

func TestEnterRefused(t *testing.T) {
	if os.Getpid() == 1 {
		t.Skip("this is PID 1; the refusal is tested without root")
	}
	if _, err := testbed.Enter(t.TempDir(), 0, 0, nil); err == nil {
		t.Error("a testbed was entered without namespaces")
	}
}

func TestSpawnRefused(t *testing.T) {
	if w, err := testbed.Spawn(nil, nil, os.Stderr); err == nil {
		w.Kill()
		t.Error("a worker that would die with a goroutine's thread was started")
	}
}

func TestLock(t *testing.T) {
	defer testbed.SetRunDir(filepath.Join(t.TempDir(), "lab"))()
	acquire := func(exclusive bool) *testbed.Lock {
		t.Helper()
		l, err := testbed.Acquire(exclusive)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	shared := false
	refused := func(exclusive bool) {
		t.Helper()
		l, err := testbed.Acquire(exclusive)
		var busy *testbed.BusyError
		switch {
		case err == nil:
			l.Release()
			t.Errorf("exclusive %v: acquired", exclusive)
		case !errors.As(err, &busy):
			t.Errorf("exclusive %v: %v, want a BusyError", exclusive, err)
		case busy.PID != os.Getpid() || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())):
			t.Errorf("exclusive %v: %v, want PID %d named", exclusive, err, os.Getpid())
		case busy.Shared != shared || strings.Contains(err.Error(), "measuring") == shared || !strings.Contains(err.Error(), "--wait"):
			t.Errorf("exclusive %v: %v, and shared is %v", exclusive, err, shared)
		case !strings.HasPrefix(busy.Command, "testbed.test") || busy.Age < 0 || busy.Age > time.Hour:
			t.Errorf("exclusive %v: %q for %v", exclusive, busy.Command, busy.Age)
		}
	}
	one := acquire(true)
	refused(true)
	refused(false)
	one.Release()
	a, b, c := acquire(false), acquire(false), acquire(false)
	shared = true
	refused(true)
	b.Release()
	refused(true) // the folder may not go with the first who leaves
	tb := local(t)
	if err := tb.Close(); err != nil {
		t.Error(err)
	}
	refused(true) // nor with the last testbed
	a.Release()
	c.Release()
	acquire(true).Release()
}

func TestBusyError(t *testing.T) {
	if s := (&testbed.BusyError{}).Error(); !strings.HasPrefix(s, "another lab is") {
		t.Errorf("%q", s)
	}
}

func local(t *testing.T) *testbed.Testbed {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: it needs root: sudo make test")
	}
	tb, err := testbed.Local(t.TempDir(), &cgroup.Options{Controllers: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for range 2 {
			if err := tb.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return tb
}

// The sweep takes what is the dead's, and nothing else.
func TestSweep(t *testing.T) {
	mine := benchtest.Testbed(t)
	if mine.Cgroups == nil {
		t.Skip("SKIPPED: this machine has no cgroups that can be written: mount -t cgroup2 none /sys/fs/cgroup")
	}
	alive := local(t)
	l, err := cgroup.Read()
	if err != nil {
		t.Fatal(err)
	}
	// A dead testbed's: the folders, and nobody who holds their locks.
	tree := func(id string, tagged bool) (dirs []string) {
		for _, d := range mine.Cgroups.Dirs() {
			dir := filepath.Join(filepath.Dir(d), "lab-"+id)
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.Remove(dir) })
			if tagged {
				if err := unix.Setxattr(dir, cgroup.Tag, []byte(id), 0); err != nil {
					t.Fatal(err)
				}
			}
			dirs = append(dirs, dir)
		}
		return dirs
	}
	gone := tree(testbed.NewID(), true) // its run folder is gone already

	leftID := testbed.NewID()
	unlocked := filepath.Join(filepath.Dir(alive.Dir), leftID)
	if err := os.MkdirAll(filepath.Join(unlocked, "some", "files"), 0o700); err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(unlocked)
	// Its owner was killed before it tagged anything.
	left := append(tree(leftID, false), unlocked)
	for i, dir := range left[:len(left)-1] {
		if err := os.Symlink(dir, filepath.Join(unlocked, "cgroup-"+strconv.Itoa(i))); err != nil {
			t.Fatal(err)
		}
	}
	// A link that leads to no cgroup folder of this testbed's leads nowhere.
	precious := filepath.Join(t.TempDir(), "lab-"+leftID)
	if err := os.Mkdir(precious, 0o755); err != nil {
		t.Fatal(err)
	}
	for i, to := range []string{precious, mine.Cgroups.Dirs()[0]} {
		if err := os.Symlink(to, filepath.Join(unlocked, "cgroup-odd-"+strconv.Itoa(i))); err != nil {
			t.Fatal(err)
		}
	}
	// Its run folder is another system's, as /run is, and it lives.
	elsewhere, err := l.Create(testbed.NewID(), cgroup.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer elsewhere.Remove()

	removed, err := testbed.Sweep()
	if err != nil {
		t.Error(err)
	}
	exist(t, false, append(gone, left...)...)
	for _, p := range append(gone, left...) {
		if !slices.Contains(removed, p) {
			t.Errorf("Sweep doesn't say that it removed %s: %v", p, removed)
		}
	}
	exist(t, true, precious, alive.Dir, mine.Dir)
	exist(t, true, elsewhere.Dirs()...)
	exist(t, true, alive.Cgroups.Dirs()...)
	exist(t, true, mine.Cgroups.Dirs()...)
	dirs := append(alive.Cgroups.Dirs(), alive.Dir)
	if err := alive.Close(); err != nil {
		t.Error(err)
	}
	exist(t, false, dirs...)
}

// Local's network is a namespace of its own, and goes with it.
func TestLocalNetwork(t *testing.T) {
	tb := local(t)
	n, err := tb.Network()
	if err != nil {
		t.Fatal(err)
	}
	if n.NS() == nil {
		t.Fatal("a Local testbed has its network in this process's own namespace")
	}
	if again, err := tb.Network(); err != nil || again != n {
		t.Errorf("a second network: %v", err)
	}
	a, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", n.NS().Fd()))
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := os.Readlink("/proc/thread-self/ns/net"); a == b {
		t.Error("it is this process's own")
	}
}

func TestLease(t *testing.T) {
	n, err := local(t).Network()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[netip.Addr]bool{n.Gateway: true}
	var last netip.Prefix
	for range 300 {
		p, err := n.Lease()
		if err != nil {
			t.Fatal(err)
		}
		if seen[p.Addr()] || !testbed.Subnet.Contains(p.Addr()) || p.Bits() != testbed.Subnet.Bits() || p.Addr() == testbed.Subnet.Addr() {
			t.Fatalf("leased %v, which is taken or no host of %v", p, testbed.Subnet)
		}
		seen[p.Addr()] = true
		last = p
	}
	// Given back, twice even, an address isn't handed out to two.
	n.Release(last)
	n.Release(last)
	for range 10 {
		p, err := n.Lease()
		if err != nil {
			t.Fatal(err)
		}
		if seen[p.Addr()] && p != last {
			t.Errorf("%v is leased twice", p)
		}
		seen[p.Addr()] = true
	}
}

// A namespace on the bridge reaches the host's end, and its port goes when it
// is told to.
func TestConnect(t *testing.T) {
	tb := benchtest.Testbed(t)
	n, err := tb.Network()
	if err != nil {
		t.Fatal(err)
	}
	a, err := n.Lease()
	if err != nil {
		t.Fatal(err)
	}
	defer n.Release(a)
	ln, err := net.Listen("tcp", netip.AddrPortFrom(n.Gateway, 0).String())
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	before := links(t)
	err = launch.Do(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		if err := n.Attach("eth0", a); err != nil {
			return err
		}
		c, err := net.DialTimeout("tcp", ln.Addr().String(), 5*time.Second)
		if err != nil {
			return err
		}
		defer c.Close()
		if got := c.LocalAddr().(*net.TCPAddr).AddrPort().Addr(); got != a.Addr() {
			return fmt.Errorf("it speaks from %v, want %v", got, a.Addr())
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := n.Disconnect(a); err != nil {
			t.Error(err)
		}
	}
	if after := links(t); !slices.Equal(before, after) {
		t.Errorf("devices %v, %v before", after, before)
	}
}

func links(t *testing.T) (names []string) {
	t.Helper()
	ls, err := netlink.LinkList()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range ls {
		names = append(names, l.Attrs().Name)
	}
	return names
}

// Orphans that fell to PID 1 are buried, and nobody's child is.
func TestReap(t *testing.T) {
	benchtest.Testbed(t)
	// A daemon: its parent ends at once, and it a moment later.
	cmd := exec.Command("/bin/sh", "-c", "(/bin/sleep 0.05; exit 3) & echo $!")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	mine := exec.Command("/bin/sh", "-c", "exit 4")
	if err := mine.Start(); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err == nil {
		defer unix.Close(fd)
		ended(fd)
	}
	testbed.Reap()
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err == nil {
		t.Errorf("the orphan, PID %d, is still there", pid)
	}
	var exit *exec.ExitError
	if err := mine.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 4 {
		t.Errorf("a child that somebody waits for: %v, want exit status 4", err)
	}
}
