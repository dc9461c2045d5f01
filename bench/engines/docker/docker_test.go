package docker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/benchtest"
	"lab/bench/clock"
	"lab/bench/image"
	"lab/bench/proc"
	"lab/bench/testbed"
)

func TestMain(m *testing.M) { benchtest.Main(m) }

// needs skips a test where there is no engine, or where it would take long.
func needs(t *testing.T, long bool) {
	if _, err := exec.LookPath("dockerd"); err != nil {
		t.Skipf("SKIPPED: %v; fix: apt-get install docker.io", err)
	}
	if long && os.Getenv("LAB_LONG") == "" {
		t.Skip("SKIPPED: takes 2 minutes; fix: LAB_LONG=1")
	}
}

// suite runs the conformance suite, or parts of it with a round each.
func suite(t *testing.T, settings map[string]string, parts ...string) {
	lacks := map[benchtest.Feature]string{
		benchtest.Environ:    "the engine adds PATH, HOSTNAME and HOME",
		benchtest.ParentsFDs: "the workload is a shim's child",
	}
	if settings["net"] != "bridge" {
		lacks[benchtest.Ports] = "no address of its own"
	}
	benchtest.Run(t, New(), benchtest.Options{Settings: settings, Lacks: lacks, Parts: parts, Slow: parts != nil})
}

// The parts that are the engine's most of all.
func TestDocker(t *testing.T) {
	needs(t, false)
	suite(t, map[string]string{"net": "bridge"}, "Names", "Ready", "Marks", "Status", "Stdout", "Stderr", "Stdin", "User", "NotFound",
		"Signals", "Memory", "Pids", "Cancel", "Order", "Many", "Background", "Exec", "Ports", "Image", "Prepare")
}

// All parts, in all networks, and with another runtime.
func TestDockerWhole(t *testing.T) {
	needs(t, true)
	for _, net := range []string{"none", "bridge", "host"} {
		t.Run(net, func(t *testing.T) { suite(t, map[string]string{"net": net}) })
	}
	t.Run("crun", func(t *testing.T) {
		if _, err := exec.LookPath("crun"); err != nil {
			t.Skipf("SKIPPED: %v; fix: apt-get install crun", err)
		}
		suite(t, map[string]string{"runtime": "crun"})
	})
}

// begin opens the environment, and returns what starts an instance that says a word.
func begin(t *testing.T) (*Env, func(...string) (bench.Instance, error)) {
	tb, img, e := benchtest.Testbed(t), benchtest.Image(t), New()
	if err := e.Open(t.Context(), tb); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e, func(engine ...string) (bench.Instance, error) {
		settings, _ := bench.Resolve(e, map[string]string{"net": "bridge"})
		for _, v := range engine {
			settings["engine"] = v
		}
		s := bench.Spec{Image: img, Settings: settings, Command: bench.Command{Argv: []string{"/bin/sh", "-c", "echo here; exec sleep 1000"}}}
		i, err := e.Prepare(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { i.Close() })
		if err := i.Start(t.Context()); err != nil {
			return i, err
		}
		_, err = clock.AwaitToken(i.Ready(), []byte("here"), time.Minute)
		return i, err
	}
}

// A container whose program has ended is started again by the engine, with the layer that
// it wrote to; what it says is bounded.
func TestRestart(t *testing.T) {
	needs(t, false)
	e, _ := begin(t)
	settings, _ := bench.Resolve(e, nil)
	i, err := e.Prepare(t.Context(), bench.Spec{Image: benchtest.Image(t), Settings: settings,
		Command: bench.Command{Argv: []string{"/bin/sh", "-c", `[ -e /here ] && { echo again; yes | head -c 200000; exit; }; echo first >/here`}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { i.Close() })
	r := i.(bench.Restarter)
	if _, err := r.Restart(t.Context()); err == nil {
		t.Error("what was never started is started again")
	}
	if err := i.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if x, err := i.Wait(t.Context()); err != nil || x.Status() != 0 {
		t.Fatalf("%v, %v", x, err)
	}
	said, err := r.Restart(t.Context())
	if err != nil || !strings.HasPrefix(string(said), "again\n") || len(said) > mostOutput {
		t.Errorf("%.20q (%d bytes), %v", said, len(said), err)
	}
	if err := i.Close(); err != nil {
		t.Error(err)
	}
	if _, err := r.Restart(t.Context()); err == nil {
		t.Error("what was closed is started again")
	}
}

// daemonPID is the one engine's process.
func (e *Env) daemonPID(t *testing.T) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, d := range e.daemons {
		return d.proc.PID()
	}
	t.Fatal("no engine runs")
	return 0
}

// An engine that dies or hangs in the middle is an error of the machine's, in time; the next
// instance has another, and nothing is left of the first.
func TestEngineLost(t *testing.T) {
	needs(t, false)
	hurried := func(f func()) { // for what is waited for in vain
		start, end := startWithin, endWithin
		startWithin, endWithin = 2*time.Second, time.Second
		f()
		startWithin, endWithin = start, end
	}
	e, next := begin(t)
	i, err := next()
	if err != nil {
		t.Fatal(err)
	}
	// It dies while a container runs.
	first := e.daemonPID(t)
	unix.Kill(first, unix.SIGKILL)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := i.Wait(ctx); err == nil || ctx.Err() != nil || bench.Whose(err) != bench.BlameMachine || !strings.Contains(err.Error(), "the engine (dockerd) ended: it was killed") {
		t.Errorf("the engine was killed, and Wait says: %v (blames %s)", err, bench.Whose(err))
	}
	if err := i.Close(); err != nil {
		t.Error(err)
	}
	if i, err = next(); err != nil {
		t.Fatalf("after the engine was killed: %v", err)
	}
	if e.daemonPID(t) == first {
		t.Error("it was killed, and is there")
	}
	// It hangs while one runs: that ends when it is closed.
	unix.Kill(e.daemonPID(t), unix.SIGSTOP)
	hurried(func() { i.Close() })
	if i, err = next(); err != nil {
		t.Fatalf("after the engine hung: %v", err)
	}
	i.Close()
	// It hangs before a start.
	unix.Kill(e.daemonPID(t), unix.SIGSTOP)
	hurried(func() { i, err = next() })
	if err == nil || bench.Whose(err) != bench.BlameMachine || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a start with an engine that hangs: %v (blames %s)", err, bench.Whose(err))
	}
	i.Close()
	if i, err = next(); err != nil {
		t.Fatalf("after a start that failed: %v", err)
	}
	i.Close()
	e.Close()
	testbed.Reap()
	for _, pid := range proc.PIDs() {
		if p, ok := proc.Read(pid); ok && (strings.HasPrefix(p.Name, "containerd") || p.Name == "dockerd" || p.Name == "sleep") {
			t.Errorf("%s is left, as %d (%c)", p.Name, pid, p.State)
		}
	}
}

// What an engine has, in words: images, containers, networks, and the machine's rules.
func had(t *testing.T, pid int) string {
	t.Helper()
	var all strings.Builder
	for _, c := range []string{"docker images --no-trunc --format {{.ID}}{{.Repository}}", "docker ps -a --no-trunc --format {{.ID}}{{.State}}{{.Names}}", "docker network ls --no-trunc",
		"docker info -f {{.ID}}", "iptables-save", "ip -o link"} {
		out, err := exec.Command("nsenter", "-n", "-t", fmt.Sprint(pid), "sh", "-c", c+" | grep -v '^#' | sed 's/\\[[0-9:]*\\]//'").CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v: %s", c, err, out)
		}
		all.WriteString(c + "\n" + string(out))
	}
	return all.String()
}

// Another engine on the standard socket, in a network namespace of its own as the machine's is, with an image, a container and a network, is the
// same before and after.
func TestEngineOfOthers(t *testing.T) {
	needs(t, true)
	if _, err := os.Stat("/run/docker.sock"); err == nil {
		t.Skip("SKIPPED: there is an engine already: compare docker ps before and after by hand, or end it")
	}
	e, next := begin(t)
	dir := t.TempDir()
	// What it writes to the machine's folders goes with this testbed.
	for _, d := range []string{"/etc", "/run"} {
		for _, x := range []string{"/upper", "/work"} {
			if err := os.MkdirAll(dir+d+x, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := unix.Mount("lab", "/etc", "overlay", 0, "lowerdir=/etc,upperdir="+dir+"/etc/upper,workdir="+dir+"/etc/work"); err != nil {
		t.Skipf("SKIPPED: an overlay on /etc: %v: TMPDIR=a folder on a disk", err)
	}
	defer unix.Unmount("/etc", unix.MNT_DETACH)
	log, err := os.Create(dir + "/log")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	theirs := exec.Command("unshare", "-n", "dockerd", "--data-root", dir+"/data", "--exec-opt", "native.cgroupdriver=cgroupfs")
	theirs.Stdout, theirs.Stderr = log, log
	if err := theirs.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		theirs.Process.Signal(unix.SIGTERM)
		theirs.Wait()
		for _, f := range []string{"/run/docker.sock", "/run/docker.pid", "/run/docker", "/run/containerd"} {
			os.RemoveAll(f)
		}
	}()
	setUp := "for i in $(seq 100); do docker version >/dev/null 2>&1 && break; sleep 0.1; done; tar -C " + benchtest.Image(t).Dir +
		" -c . | docker import - theirs && docker network create theirs && docker create --name theirs --network theirs theirs /bin/sleep 1000"
	if out, err := exec.Command("sh", "-c", setUp).CombinedOutput(); err != nil {
		text, _ := os.ReadFile(dir + "/log")
		t.Skipf("SKIPPED: no engine with an image, a network and a container can be had here: %v: %s\n%s", err, out, text[max(0, len(text)-2000):])
	}
	before := had(t, theirs.Process.Pid)
	if i, err := next(); err != nil {
		t.Error(err)
	} else if err := i.Close(); err != nil {
		t.Error(err)
	}
	during := had(t, theirs.Process.Pid)
	// Asked itself, it has a container of the lab's for a while, with limits, and an end that is known.
	i, err := next("system")
	if err != nil {
		t.Fatal(err)
	}
	if now := had(t, theirs.Process.Pid); !strings.Contains(now, "running") || now == before {
		t.Errorf("it was asked for a container, and has\n%s", now)
	}
	if err := i.Signal(unix.SIGTERM); err != nil {
		t.Error(err)
	}
	i.Signal(unix.SIGKILL)
	if x, err := i.Wait(t.Context()); err != nil || x.Signal != 9 {
		t.Errorf("killed: %v, %v", x, err)
	}
	if err := i.Close(); err != nil {
		t.Error(err)
	}
	e.Close()
	if after := had(t, theirs.Process.Pid); before != during || before != after {
		t.Errorf("another engine had\n%s\nwhile an instance was there\n%s\nand has\n%s", before, during, after)
	}
}

// A missing engine or runtime is a reason and a fix.
func TestMissing(t *testing.T) {
	tb := benchtest.Testbed(t)
	t.Setenv("PATH", t.TempDir())
	e := New()
	defer e.Close()
	if err := e.Open(t.Context(), tb); err != nil {
		t.Fatal(err)
	}
	settings, _ := bench.Resolve(e, nil)
	err := e.Check(t.Context(), bench.Spec{Image: benchtest.Image(t), Settings: settings, Command: bench.Command{Argv: []string{image.ReadyPath, "x"}}})
	if u := (*bench.UnfitError)(nil); !errors.As(err, &u) || u.Cure != "apt-get install docker.io" {
		t.Errorf("without dockerd: %v", err)
	}
}

// Containerd without Docker's engine above it.
func TestContainerd(t *testing.T) {
	needs(t, true)
	benchtest.Run(t, NewContainerd(), benchtest.Options{Slow: true, Lacks: map[benchtest.Feature]string{
		benchtest.Environ:    "containerd adds PATH",
		benchtest.ParentsFDs: "the workload is a shim's child",
		benchtest.Users:      "ctr takes no user",
		benchtest.Stdin:      "ctr misses an end that comes before its container is made",
		benchtest.Ports:      "no address of its own",
	}, Parts: []string{"Names", "Ready", "Status", "Stdout", "Stderr", "Stdin", "NotFound", "Signals", "Memory", "Pids", "Cancel", "Many", "Background", "Exec", "Image"}})
}
