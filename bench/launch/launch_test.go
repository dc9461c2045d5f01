package launch_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/benchtest"
	"lab/bench/clock"
	"lab/bench/launch"
)

// asHelper makes the test binary a lab that starts one program and then is
// killed; see TestDiesWithTheLab.
const asHelper = "LAB_LAUNCH_HELPER"

// asSlow makes its child slow before it executes, in a PID namespace, where
// getppid says nothing of the parent's end.
const asSlow = "LAB_LAUNCH_SLOW"

// asAlone has it start the program as lab exec does.
const asAlone = "LAB_LAUNCH_ALONE"

func TestMain(m *testing.M) {
	if argv := os.Getenv(asHelper); argv != "" {
		plan := launch.Plan{Command: bench.Command{Argv: strings.Fields(argv)}}
		if os.Getenv(asSlow) != "" {
			plan.Flags = unix.CLONE_NEWPID
			plan.Command.Stderr = os.Stderr
			plan.Inside = func(_ *launch.Thread, tape *launch.Tape) error {
				ready := []byte("in\n")
				tape.Call("say", unix.SYS_WRITE, 1, unsafe.Pointer(&ready[0]), len(ready))
				tape.Call("dawdle", unix.SYS_NANOSLEEP, unsafe.Pointer(&unix.Timespec{Nsec: 3e8}), 0)
				return nil
			}
		}
		launch.Alone.Store(os.Getenv(asAlone) != "")
		p := launch.New(plan)
		runtime.LockOSThread()
		if err := p.Start(context.Background()); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		children, _ := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/children", unix.Gettid()))
		fmt.Println(p.PID(), slices.Contains(strings.Fields(string(children)), strconv.Itoa(p.PID())))
		select {}
	}
	benchtest.Main(m)
}

// inImage is a plan for a program of the default image, as host has it.
func inImage(t testing.TB, argv ...string) launch.Plan {
	t.Helper()
	dir := benchtest.Image(t).Dir
	return launch.Plan{Command: bench.Command{Argv: argv, Env: []string{"PATH=" + dir + "/bin"}},
		Find: func(c bench.Command) []string { return []string{filepath.Join(dir, c.Argv[0])} }}
}

func start(t testing.TB, plan launch.Plan) *launch.Process {
	t.Helper()
	p := launch.New(plan)
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := p.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	return p
}

// output runs a plan to its end.
func output(t testing.TB, plan launch.Plan) string {
	t.Helper()
	p := start(t, plan)
	b, err := io.ReadAll(p.Ready())
	if err != nil {
		t.Fatal(err)
	}
	if exit, err := p.Wait(context.Background()); err != nil || exit.Status() != 0 {
		t.Fatalf("%v, %v, output %q", exit, err, b)
	}
	return string(b)
}

// What fails between clone and exec is named by its call.
func TestTapeErrors(t *testing.T) {
	for name, x := range map[string]struct {
		inside func(*launch.Thread, *launch.Tape) error
		dir    string
		want   []string
		errno  syscall.Errno
		blame  bench.Blame
	}{
		"call": {inside: func(_ *launch.Thread, tape *launch.Tape) error {
			tape.Call("mount the moon", unix.SYS_MOUNT, "none", "/no/such/place", "tmpfs", 0, 0)
			return nil
		}, want: []string{"mount the moon", "/no/such/place"}, errno: unix.ENOENT, blame: bench.BlameLab},
		"second call": {inside: func(_ *launch.Thread, tape *launch.Tape) error {
			tape.Call("fine", unix.SYS_GETPID)
			tape.Maybe("of no matter", unix.SYS_CHDIR, "/no/such/place")
			tape.Call("close nothing", unix.SYS_CLOSE, 9999)
			return nil
		}, want: []string{"close nothing"}, errno: unix.EBADF, blame: bench.BlameLab},
		"inside": {inside: func(*launch.Thread, *launch.Tape) error { return syscall.EDOM },
			want: []string{"start:"}, errno: unix.EDOM, blame: bench.BlameLab},
		"folder": {dir: "/no/such/place", want: []string{"change folder to /no/such/place"}, errno: unix.ENOENT, blame: bench.BlameWorkload},
	} {
		t.Run(name, func(t *testing.T) {
			plan := inImage(t, "/bin/true")
			plan.Inside, plan.Command.Dir = x.inside, x.dir
			p := launch.New(plan)
			defer p.Close()
			err := p.Start(context.Background())
			if err == nil {
				t.Fatal("no error")
			}
			for _, w := range x.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q doesn't say %q", err, w)
				}
			}
			if !errors.Is(err, x.errno) || bench.Whose(err) != x.blame {
				t.Errorf("%q: errno %v, blame %s; want %v, %s", err, errors.Is(err, x.errno), bench.Whose(err), x.errno, x.blame)
			}
			if _, err := p.Wait(context.Background()); err == nil {
				t.Error("Wait of what never ran gives no error")
			}
		})
	}
}

// Registers carry results from call to call, and marks are readings of our own
// clock.
func TestTape(t *testing.T) {
	name := filepath.Join(t.TempDir(), "written")
	plan := inImage(t, "/bin/true")
	text := []byte("by the child")
	plan.Inside = func(_ *launch.Thread, tape *launch.Tape) error {
		tape.Mark("one")
		tape.CallTo(1, "create", unix.SYS_OPENAT, unix.AT_FDCWD, name, unix.O_CREAT|unix.O_WRONLY, 0o644)
		tape.Call("write", unix.SYS_WRITE, launch.Reg(1), unsafe.Pointer(&text[0]), len(text))
		tape.Call("close", unix.SYS_CLOSE, launch.Reg(1))
		tape.Mark("two")
		return nil
	}
	before := clock.Now()
	p := start(t, plan)
	after := clock.Now()
	if b, err := os.ReadFile(name); err != nil || string(b) != string(text) {
		t.Errorf("%q, %v; want %q", b, err, text)
	}
	var names []string
	last := before
	for _, m := range p.Marks() {
		names = append(names, m.Name)
		if m.At < last || m.At > after {
			t.Errorf("mark %s at %d, outside of [%d, %d]", m.Name, m.At, last, after)
		}
		last = m.At
	}
	if got := strings.Join(names, " "); got != "thread one two exec" {
		t.Errorf("marks %q", got)
	}
}

// Steps run in order, on one thread that isn't the caller's; what one of them
// breaks is named, and what was kept is closed.
func TestSteps(t *testing.T) {
	var tids []int
	step := func(name string, err error) launch.Step {
		return launch.Step{Name: name, Do: func(*launch.Thread) error {
			tids = append(tids, unix.Gettid())
			return err
		}}
	}
	var kept *os.File
	plan := inImage(t, "/bin/true")
	plan.Steps = []launch.Step{step("first", nil), {Name: "keep", Do: func(th *launch.Thread) (err error) {
		kept, err = os.Open("/")
		th.Keep(kept)
		return err
	}}, step("second", syscall.ENOTNAM), step("third", nil)}
	cleaned := 0
	plan.Cleanup = func() error { cleaned++; return nil }
	p := launch.New(plan)
	err := p.Start(context.Background())
	if !errors.Is(err, syscall.ENOTNAM) || !strings.Contains(err.Error(), "second") {
		t.Errorf("error %v, want that of the second step", err)
	}
	if len(tids) != 2 || tids[0] != tids[1] || tids[0] == unix.Getpid() {
		t.Errorf("steps ran on threads %v", tids)
	}
	if err := kept.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("what a step kept is still open (%v)", err)
	}
	p.Close()
	p.Close()
	if cleaned != 1 {
		t.Errorf("Cleanup ran %d times, want once", cleaned)
	}
}

func TestExecError(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string, mode os.FileMode) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return name
	}
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, x := range map[string]struct {
		argv0  string
		errno  syscall.Errno
		status int
	}{
		"missing":             {filepath.Join(dir, "no"), unix.ENOENT, 127},
		"through a file":      {file("plain", "", 0o755) + "/x", unix.ENOTDIR, 127},
		"folder":              {dir, unix.EACCES, 126},
		"FIFO":                {fifo, unix.EACCES, 126},
		"FIFO as interpreter": {file("waits", "#!"+fifo+"\n", 0o755), unix.EACCES, 126},
		"mode":                {file("mode", "#!/bin/sh\n", 0o644), unix.EACCES, 126},
		"no format":           {file("garbage", "\x01\x02\x03", 0o755), unix.ENOEXEC, 126},
		"cut off":             {file("cut", "\x7fELF", 0o755), unix.ENOEXEC, 126},
		"missing interpreter": {file("script", "#!/no/such/sh\n", 0o755), unix.ENOENT, 127},
	} {
		t.Run(name, func(t *testing.T) {
			p := launch.New(launch.Plan{Command: bench.Command{Argv: []string{x.argv0}}})
			defer p.Close()
			err := p.Start(context.Background())
			var e *launch.ExecError
			if !errors.As(err, &e) {
				t.Fatalf("%v isn't an ExecError", err)
			}
			if e.Status() != x.status || bench.Whose(err) != bench.BlameWorkload {
				t.Errorf("%v: status %d, blame %s; want %d, workload", err, e.Status(), bench.Whose(err), x.status)
			}
			if x.errno != unix.ENOTDIR && !errors.Is(err, x.errno) {
				t.Errorf("%v, want %v", err, x.errno)
			}
		})
	}
	for _, c := range []bench.Command{
		{Argv: []string{"/bin/true", "a\x00b"}},
		{Argv: []string{"/bin/true"}, Env: []string{"A=\x00"}},
		{Argv: []string{"/bin/true\x00"}},
		{Argv: []string{"/bin/true"}, Dir: "/tmp\x00/x"},
	} {
		p := launch.New(launch.Plan{Command: c})
		if err := p.Start(context.Background()); err == nil || bench.Whose(err) != bench.BlameWorkload {
			t.Errorf("a NUL byte in %q, %q, %q: %v", c.Argv, c.Env, c.Dir, err)
		}
		p.Close()
	}
}

// The usual limits, not those of the lab.
func TestLimitsOfDescriptors(t *testing.T) {
	plan := inImage(t, "/bin/sh", "-c", "ulimit -Sn; ulimit -Hn")
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatal(err)
	}
	// Go raised ours; a program with select(2) must not inherit that.
	if got, want := output(t, plan), fmt.Sprintf("1024\n%d\n", lim.Max); got != want {
		t.Errorf("limits of descriptors %q, want %q", got, want)
	}
}

// What the lab ignores, the program doesn't: under nohup SIGHUP is ignored.
func TestSignalsAreDefault(t *testing.T) {
	t.Run("clone3", func(t *testing.T) {
		testSignals(t)
		if launch.NoClone3() {
			t.Skip("SKIPPED: this kernel, or a seccomp profile, has no clone3 with CLONE_CLEAR_SIGHAND: Linux 5.5, outside of a container")
		}
	})
	t.Run("clone", func(t *testing.T) {
		defer launch.SetNoClone3(true)()
		testSignals(t)
	})
}

func testSignals(t *testing.T) {
	signal.Ignore(syscall.SIGHUP, syscall.SIGUSR1)
	defer signal.Reset(syscall.SIGHUP, syscall.SIGUSR1)
	p := start(t, inImage(t, "/bin/sleep", "1000"))
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		name, v, _ := strings.Cut(strings.TrimSpace(line), ":\t")
		if (name == "SigIgn" || name == "SigBlk" || name == "SigCgt") && strings.Trim(v, "0") != "" {
			t.Errorf("%s is %s, want none", name, v)
		}
	}
	if err := p.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if exit, err := p.Wait(context.Background()); err != nil || exit.Signal != int(syscall.SIGHUP) {
		t.Errorf("SIGHUP: %v, %v", exit, err)
	}
}

// A session of its own, and the caller's as it was.
func TestSession(t *testing.T) {
	p := start(t, inImage(t, "/bin/sleep", "1000"))
	sid, err := unix.Getsid(p.PID())
	if err != nil || sid != p.PID() {
		t.Errorf("session %d, %v, want its own, %d", sid, err, p.PID())
	}
}

// The program dies with the lab, also where no PID namespace sees to it, and whether or
// not a thread of its own has started it.
func TestDiesWithTheLab(t *testing.T) {
	for _, alone := range []string{"", "1"} {
		diesWithTheLab(t, alone)
	}
}

func diesWithTheLab(t *testing.T, alone string) {
	dir := benchtest.Image(t).Dir
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), asHelper+"="+dir+"/bin/sleep 1000", asAlone+"="+alone)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	b := make([]byte, 100)
	n, err := out.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	var ours bool // started from the caller's own thread
	if _, err := fmt.Sscan(string(b[:n]), &pid, &ours); err != nil {
		t.Fatalf("the helper says %q", b[:n])
	}
	if _, err := os.Stat(fmt.Sprintf("/proc/self/task/%d/children", os.Getpid())); err == nil && ours != (alone != "") {
		t.Errorf("alone %q: started from the caller's thread: %v", alone, ours)
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	// A pidfd can be read when its process has ended (pidfd_open(2)).
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 10_000)
		if err == unix.EINTR {
			continue
		}
		if n != 1 {
			unix.Kill(pid, unix.SIGKILL)
			t.Errorf("PID %d lives on after the lab was killed (%v)", pid, err)
		}
		return
	}
}

// The program doesn't come to be when the lab is killed after the clone.
func TestDiesBeforeExec(t *testing.T) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), asSlow+"=1", asHelper+"="+benchtest.Image(t).Dir+"/bin/sleep 20")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout // the program holds it, too; its output isn't ours
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 100)
	n, err := out.Read(b)
	if string(b[:n]) != "in\n" {
		t.Errorf("the child says %q, %v", b[:n], err)
	}
	cmd.Process.Kill()
	// The pipe ends with the last process that holds it.
	out.(*os.File).SetReadDeadline(time.Now().Add(10 * time.Second))
	if n, err := out.Read(b); err != io.EOF {
		t.Errorf("the program runs after the lab was killed: %q, %v", b[:n], err)
	}
	cmd.Wait()
}

// A file that was just written can be executed, whoever forks meanwhile: no
// child is between clone and exec with our descriptors (os/exec, ETXTBSY).
func TestForkLock(t *testing.T) {
	prog, err := os.ReadFile(filepath.Join(benchtest.Image(t).Dir, "bin/ready"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var all sync.WaitGroup
	for k := range 4 {
		all.Go(func() {
			for n := range 60 {
				name := filepath.Join(dir, fmt.Sprintf("ready-%d-%d", k, n))
				if err := os.WriteFile(name, prog, 0o755); err != nil {
					t.Error(err)
					return
				}
				p := launch.New(launch.Plan{Command: bench.Command{Argv: []string{name, "x"}},
					// Some children are slow to execute.
					Inside: func(_ *launch.Thread, tape *launch.Tape) error {
						ts := &unix.Timespec{Nsec: 2_000_000}
						tape.Call("sleep", unix.SYS_NANOSLEEP, unsafe.Pointer(ts), 0)
						return nil
					}})
				if err := p.Start(context.Background()); err != nil {
					t.Error(err)
				} else if exit, err := p.Wait(context.Background()); err != nil || exit.Code != 0 {
					t.Errorf("%v, %v", exit, err)
				}
				if err := p.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

// After a thousand starts that change everything a thread can change, no other
// thread has changed, and none and no descriptor is left.
func TestNoContamination(t *testing.T) {
	plan := inImage(t, "/bin/ready", "x")
	plan.Flags = unix.CLONE_NEWPID
	plan.Steps = []launch.Step{{Name: "unshare", Do: func(*launch.Thread) error {
		if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_FS); err != nil {
			return err
		}
		return unix.Chdir("/tmp")
	}}}
	failing := inImage(t, "/bin/no-such-program")
	failing.Steps = plan.Steps
	round := func() {
		for _, x := range []launch.Plan{plan, failing} {
			launch.Ready(1)
			p := launch.New(x)
			if err := p.Start(context.Background()); err == nil {
				if _, err := clock.AwaitToken(p.Ready(), []byte("x"), 10*time.Second); err != nil {
					t.Error(err)
				}
				if exit, err := p.Wait(context.Background()); err != nil || exit.Code != 0 {
					t.Errorf("%v, %v", exit, err)
				}
			} else if bench.Whose(err) != bench.BlameWorkload {
				t.Error(err)
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	for range 20 {
		round()
	}
	want := namespaces(t, "/proc/self/task/"+strconv.Itoa(os.Getpid()))
	fds, threads := count(t, "/proc/self/fd"), count(t, "/proc/self/task")
	n := 500
	if testing.Short() {
		n = 50
	}
	for range n {
		round()
	}
	if got := count(t, "/proc/self/fd"); got != fds {
		t.Errorf("%d descriptors, %d before", got, fds)
	}
	// A thread ends some time after its goroutine, and nothing tells.
	for end := time.Now().Add(5 * time.Second); count(t, "/proc/self/task") > threads+4; {
		if time.Now().After(end) {
			t.Errorf("%d threads, %d before", count(t, "/proc/self/task"), threads)
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	// Those that wait for work are fresh; all others are as they were. One that
	// isn't must be about to end.
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			t.Fatal(err)
		}
		wrong := ""
		for _, task := range tasks {
			if got := namespaces(t, "/proc/self/task/"+task.Name()); got != "" && got != want {
				wrong = fmt.Sprintf("thread %s lives in %s, want %s", task.Name(), got, want)
			}
		}
		if wrong == "" {
			break
		}
		if time.Now().After(end) {
			t.Fatal(wrong)
		}
	}
}

func count(t *testing.T, dir string) int {
	t.Helper()
	e, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(e)
}

// namespaces names a thread's namespaces, root and working folder; "" where the
// thread is gone.
func namespaces(t *testing.T, task string) string {
	t.Helper()
	var out []string
	for _, n := range []string{"ns/mnt", "ns/net", "ns/uts", "ns/ipc", "ns/pid", "ns/pid_for_children", "ns/cgroup", "root", "cwd"} {
		to, err := os.Readlink(task + "/" + n)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			return ""
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, to)
	}
	return strings.Join(out, " ")
}

// Starts without a waiting thread don't wait for one another's.
func TestMoreStartsThanThreads(t *testing.T) {
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			if err := launch.Do(func() error { return nil }); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if err := launch.Do(func() error { return syscall.EDOM }); err != syscall.EDOM {
		t.Errorf("Do: %v", err)
	}
	launch.Ready(200) // more than may wait
}

// A start that takes its time is ended by Close, and by Wait when its context
// ends, as soon as there is something to end.
func TestEndedDuringStart(t *testing.T) {
	for name, end := range map[string]func(*launch.Process) error{
		"Close": (*launch.Process).Close,
		"Wait": func(p *launch.Process) error {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			if exit, err := p.Wait(ctx); !errors.Is(err, context.Canceled) || exit.Signal != 9 {
				return fmt.Errorf("%v, %v", exit, err)
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			begun := make(chan struct{})
			plan := inImage(t, "/bin/sleep", "1000")
			plan.Steps = []launch.Step{{Name: "slow", Do: func(*launch.Thread) error {
				close(begun)
				time.Sleep(30 * time.Millisecond) // it is slow
				return nil
			}}}
			p := launch.New(plan)
			defer p.Close()
			started := make(chan struct{})
			go func() {
				p.Start(context.Background())
				close(started)
			}()
			<-begun
			ended := make(chan error, 1)
			go func() { ended <- end(p) }()
			select {
			case err := <-ended:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(10 * time.Second):
				t.Error("it doesn't end")
				<-started
				p.Signal(unix.SIGKILL)
			}
			<-started
		})
	}
}
