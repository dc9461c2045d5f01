package cgroup_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/benchtest"
	"lab/bench/cgroup"
)

func TestMain(m *testing.M) { benchtest.Main(m) }

// tree is the testbed's.
func tree(t *testing.T) *cgroup.Tree {
	t.Helper()
	tb := benchtest.Testbed(t)
	if tb.Cgroups == nil {
		t.Skip("SKIPPED: this machine has no cgroups that can be written: mount -t cgroup2 none /sys/fs/cgroup")
	}
	return tb.Cgroups
}

func group(t *testing.T, tr *cgroup.Tree, lim cgroup.Limits) *cgroup.Group {
	t.Helper()
	if c := tr.Lacks(lim); c != "" {
		t.Skipf("SKIPPED: no %s controller: echo +%s > cgroup.subtree_control at the root", c, c)
	}
	g, err := tr.New(lim)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Remove(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// enter starts a shell script that moves itself into the group first, and
// returns when it has.
func enter(t *testing.T, g *cgroup.Group, script string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/bin/sh", append([]string{"-c",
		`for d; do echo $$ >$d/cgroup.procs || exit 99; done; echo in; ` + script, "sh"}, g.Dirs()...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
	})
	var b [3]byte
	if _, err := out.Read(b[:]); err != nil || string(b[:]) != "in\n" {
		t.Fatalf("the shell didn't enter %v: %q, %v", g.Dirs(), b, err)
	}
	return cmd
}

func TestTree(t *testing.T) {
	tr := tree(t)
	id := benchtest.Testbed(t).ID
	for _, d := range tr.Dirs() {
		var buf [64]byte
		n, err := unix.Getxattr(d, cgroup.Tag, buf[:])
		if err != nil || string(buf[:n]) != id {
			t.Errorf("%s bears the tag %q (%v), want %q", d, buf[:max(n, 0)], err, id)
		}
	}
	l, err := cgroup.Read()
	if err != nil {
		t.Fatal(err)
	}
	if got := l.Owners()[id]; len(got) != len(tr.Dirs()) {
		t.Errorf("Owners finds %v, want %v", got, tr.Dirs())
	}
	// A second tree under the same name isn't taken over. One that isn't below this
	// process's own cell, as it is in now, has its place elsewhere.
	if again, err := l.Create(id, cgroup.Options{Controllers: true}, nil); err == nil {
		for _, d := range again.Dirs() {
			if slices.Contains(tr.Dirs(), d) {
				t.Errorf("%s exists, and is made again", d)
			}
		}
		if err := again.Remove(); err != nil {
			t.Error(err)
		}
	} else if !errors.Is(err, os.ErrExist) {
		t.Errorf("a tree that exists is made again: %v", err)
	}
	for _, d := range tr.Dirs() {
		if _, err := os.Stat(d); err != nil {
			t.Errorf("and the attempt removed the first one's folder: %v", err)
		}
	}
}

// Each limit stands in its file, of whichever generation.
func TestLimits(t *testing.T) {
	tr := tree(t)
	g := group(t, tr, cgroup.Limits{CPU: 0.5, Memory: 64 << 20, Pids: 7})
	found := map[string]bool{}
	for _, d := range g.Dirs() {
		for name, want := range map[string]string{
			"cpu.cfs_quota_us": "50000", "cpu.max": "50000 100000",
			"memory.limit_in_bytes": "67108864", "memory.max": "67108864",
			"pids.max": "7",
		} {
			b, err := os.ReadFile(filepath.Join(d, name))
			if err != nil {
				continue
			}
			found[strings.SplitN(name, ".", 2)[0]] = true
			if got := strings.TrimSpace(string(b)); got != want {
				t.Errorf("%s/%s is %s, want %s", d, name, got, want)
			}
		}
	}
	if len(found) != 3 {
		t.Errorf("found limits of %v, want cpu, memory and pids", found)
	}
}

// A limit that nobody can keep is refused, and nothing is left of the group.
func TestLimitRefused(t *testing.T) {
	tr := tree(t)
	if _, err := new(cgroup.Tree).New(cgroup.Limits{Pids: 1}); !errors.Is(err, cgroup.ErrNoController) {
		t.Errorf("a tree without controllers: %v, want ErrNoController", err)
	}
	group(t, tr, cgroup.Limits{Memory: 1 << 20}) // or skip
	before := folders(t, tr)
	// More than the kernel's largest number: the write fails half way.
	if g, err := tr.New(cgroup.Limits{Pids: 1 << 62}); err == nil {
		g.Remove()
		t.Error("a limit that the kernel refuses gives no error")
	} else if errors.Is(err, cgroup.ErrNoController) {
		t.Errorf("the wrong error: %v", err)
	}
	if after := folders(t, tr); after != before {
		t.Errorf("folders before:\n%s\nafter a group that couldn't be made:\n%s", before, after)
	}
}

func folders(t *testing.T, tr *cgroup.Tree) string {
	t.Helper()
	var b strings.Builder
	for _, root := range tr.Dirs() {
		filepath.WalkDir(root, func(name string, d os.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				fmt.Fprintln(&b, name)
			}
			return nil
		})
	}
	return b.String()
}

func TestOOMKilled(t *testing.T) {
	g := group(t, tree(t), cgroup.Limits{Memory: 16 << 20})
	if g.OOMKilled() {
		t.Error("OOMKilled before anything ran")
	}
	cmd := enter(t, g, "s=0123456789; while :; do s=$s$s; done")
	err := cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("%v, want SIGKILL", err)
	}
	if !g.OOMKilled() {
		t.Error("OOMKilled doesn't know of it")
	}
}

func TestKill(t *testing.T) {
	g := group(t, tree(t), cgroup.Limits{})
	cmd := enter(t, g, "sleep 1000 & sleep 1000 & wait")
	g.Kill()
	if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("%v, want killed", err)
	}
}

// Remove empties what it removes, folders of the payload's own included, and
// may be called again.
func TestRemove(t *testing.T) {
	tr := tree(t)
	before := folders(t, tr)
	g, err := tr.New(cgroup.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	// Folders of the payload's own, as a container's own init may make them.
	for _, d := range g.Dirs() {
		if err := os.MkdirAll(filepath.Join(d, "own", "deep"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := enter(t, g, "sleep 1000 & wait")
	for _, d := range g.Dirs() {
		if err := os.WriteFile(filepath.Join(d, "own", "deep", "cgroup.procs"), fmt.Append(nil, cmd.Process.Pid), 0); err != nil {
			t.Fatal(err)
		}
	}
	dirs := g.Dirs()
	for n := range 2 {
		if err := g.Remove(); err != nil {
			t.Errorf("Remove, call %d: %v", n+1, err)
		}
	}
	for _, d := range dirs {
		if _, err := os.Stat(d); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left (%v)", d, err)
		}
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the process in the group lived on")
	}
	if after := folders(t, tr); after != before {
		t.Errorf("folders before:\n%s\nafter:\n%s", before, after)
	}
}

// A whole tree with processes in it.
func TestRemoveTree(t *testing.T) {
	tree(t) // or skip
	l, err := cgroup.Read()
	if err != nil {
		t.Fatal(err)
	}
	tr, err := l.Create(fmt.Sprintf("test-%d", os.Getpid()), cgroup.Options{Controllers: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var cmds []*exec.Cmd
	for range 3 {
		g, err := tr.New(cgroup.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		cmds = append(cmds, enter(t, g, "sleep 1000 & wait"))
	}
	dirs := tr.Dirs()
	for n := range 2 {
		if err := tr.Remove(); err != nil {
			t.Errorf("Remove, call %d: %v", n+1, err)
		}
	}
	for _, d := range dirs {
		if _, err := os.Stat(d); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is left (%v)", d, err)
		}
	}
	for _, c := range cmds {
		if c.Wait() == nil {
			t.Error("a process lived on")
		}
	}
	if err := cgroup.RemoveAll(dirs[0]); err != nil {
		t.Errorf("RemoveAll of what isn't there: %v", err)
	}
}

// Descriptors: a group holds some open, and gives all back.
func TestDescriptors(t *testing.T) {
	tr := tree(t)
	count := func() int {
		e, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(e)
	}
	before := count()
	for range 50 {
		g, err := tr.New(cgroup.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		v2, tasks, err := g.Entrance()
		if err != nil || len(tasks) == 0 && v2 == nil {
			t.Fatal("there is no way into the group: ", err)
		}
		for _, f := range append(tasks, v2) {
			f.Close() // of nil, too
		}
		if err := g.Remove(); err != nil {
			t.Fatal(err)
		}
	}
	if after := count(); after != before {
		t.Errorf("%d descriptors, %d before", after, before)
	}
}

// The lab writes to no folder but its own: what the roots pass on is as it was.
func TestRootUntouched(t *testing.T) {
	tr := tree(t)
	l, err := cgroup.Read()
	if err != nil {
		t.Fatal(err)
	}
	if l.V2 == "" {
		t.Skip("SKIPPED: no cgroup v2 tree here: mount -t cgroup2 none DIR")
	}
	name := filepath.Join(l.V2, "cgroup.subtree_control")
	before, _ := os.ReadFile(name)
	group(t, tr, cgroup.Limits{})
	after, _ := os.ReadFile(name)
	if !bytes.Equal(before, after) {
		t.Errorf("%s was %q and is %q", name, before, after)
	}
}

// What binds the lab binds its groups: a process in one gets as much of a processor
// as one that the lab starts next to it, however little that is.
func TestBoundAlike(t *testing.T) {
	g := group(t, tree(t), cgroup.Limits{})
	l, err := cgroup.Read()
	if err != nil {
		t.Fatal(err)
	}
	const busy = "exec timeout 1 sh -c 'while :; do :; done'"
	used := func(cmd *exec.Cmd, began time.Time) float64 {
		cmd.Wait()
		return float64(cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime()) / float64(time.Since(began))
	}
	// Others run on this machine, too: it is to be so in one of a few tries.
	said := ""
	for range 5 {
		alone := exec.Command("/bin/sh", "-c", busy)
		began := time.Now()
		if err := alone.Start(); err != nil {
			t.Fatal(err)
		}
		outside := used(alone, began)
		began = time.Now()
		inside := used(enter(t, g, busy), began)
		said = fmt.Sprintf("limits %v: %.2f of a processor as the lab's child, %.2f in a group", l.Bounds(), outside, inside)
		n, r := l.Processors(), inside/outside
		if (n == 0 || n >= 1 || max(outside, inside) <= 1.3*n) && r >= 0.5 && r <= 2 {
			t.Log(said)
			return
		}
	}
	t.Error(said)
}

// Where the tree isn't below the lab's own cell, as in v2, the cell's limits stand at
// the tree's folder, and the lab has moved there: so does what it starts.
func TestCopied(t *testing.T) {
	tr := tree(t)
	copied := tr.Copied()
	if len(copied) == 0 {
		t.Skip("SKIPPED: the tree is ", tr.Place(), ", and nothing had to be copied; .ci/guest shows it")
	}
	l, err := cgroup.Read()
	if err != nil {
		t.Fatal(err)
	}
	root := tr.Dirs()[len(tr.Dirs())-1]
	if !strings.HasPrefix(l.Own[""], root+"/") {
		t.Errorf("the lab is in %s, not below %s", l.Own[""], root)
	}
	for _, b := range copied {
		found := false
		for _, own := range l.Bounds() {
			found = found || own.Dir == root && own.What == b.What && own.Value == b.Value
		}
		if !found {
			t.Errorf("%s of %s isn't at %s: %+v", b.What, b.Dir, root, l.Bounds())
		}
	}
}

// A tree for one group is that group: there are no folders in it, its limits are
// kept, and it takes no second one.
func TestSingle(t *testing.T) {
	tree(t) // or skip
	l, err := cgroup.Read()
	if err != nil {
		t.Fatal(err)
	}
	tr, err := l.Create(fmt.Sprintf("single-%d", os.Getpid()), cgroup.Options{Controllers: true, Single: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Remove()
	g := group(t, tr, cgroup.Limits{Pids: 2})
	if len(tr.Copied()) == 0 && !slices.Equal(g.Dirs(), tr.Dirs()) {
		t.Errorf("the group is %v, and the tree %v", g.Dirs(), tr.Dirs())
	}
	enter(t, g, "sleep 1000")
	if len(tr.Copied()) == 0 {
		if _, err := tr.New(cgroup.Limits{}); err == nil {
			t.Error("it took a second group")
		}
	}
	if err := errors.Join(g.Remove(), tr.Remove()); err != nil {
		t.Error(err)
	}
	for _, d := range g.Dirs() {
		if _, err := os.Stat(d); err == nil {
			t.Errorf("%s is left", d)
		}
	}
}
