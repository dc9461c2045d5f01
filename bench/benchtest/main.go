package benchtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"lab/bench/cgroup"
	"lab/bench/cgroup/systemd"
	"lab/bench/image"
	"lab/bench/launch"
	"lab/bench/owner"
	"lab/bench/testbed"
	"lab/bench/testbed/nat"
)

// inWorker is the variable by which a test binary knows that it is the worker.
const inWorker = "LAB_BENCHTEST_WORKER"

var (
	here  *testbed.Testbed // the worker's
	lacks string           // why there is none, with the cure
)

// The kernel kills the worker when the thread that started it ends, so it has
// to be the main one, which lives as long as the process.
func init() { runtime.LockOSThread() }

// Main is the TestMain of a package whose tests need a testbed:
//
//	func TestMain(m *testing.M) { benchtest.Main(m) }
//
// As root it starts the test binary once more, as the worker of a real testbed,
// and the tests run in there: what a killed test leaves behind dies with the
// worker. As another user the tests run here, and those that ask for the
// [Testbed] are skipped.
func Main(m *testing.M) {
	testbed.Bury(os.Args)
	if os.Getenv(inWorker) != "" {
		os.Unsetenv(inWorker)
		os.Exit(work(m))
	}
	if slices.ContainsFunc(os.Args[1:], func(a string) bool {
		return strings.HasPrefix(a, "-test.fuzz") && !strings.HasPrefix(a, "-test.fuzzcachedir")
	}) {
		// The fuzzer starts workers of its own, over descriptors of its own.
		lacks = "fuzzing needs no testbed: run it without -fuzz"
		os.Exit(m.Run())
	}
	if os.Geteuid() != 0 {
		lacks = "it needs root: sudo make test"
		os.Exit(m.Run())
	}
	w, err := spawn()
	if err != nil {
		// Root without its rights, as in an unprivileged container.
		lacks = fmt.Sprintf("no testbed can be made here (%v): run as root of the machine, or in a VM", err)
		fmt.Fprintln(os.Stderr, "benchtest:", lacks)
		os.Exit(m.Run())
	}
	err = w.Wait()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() > 0:
		os.Exit(exit.ExitCode())
	case err != nil:
		fmt.Fprintln(os.Stderr, "benchtest: worker:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func spawn() (*testbed.Worker, error) {
	if _, err := testbed.Sweep(); err != nil { // what a killed test left
		return nil, err
	}
	os.Setenv(inWorker, "1")
	defer os.Unsetenv(inWorker)
	// The worker's standard output is ours, under number 4.
	return testbed.Spawn(launch.Undertaker(os.Args[0]), os.Args[1:], os.Stderr, os.Stdout)
}

// work runs the tests in the testbed. PID 1's end takes all else with it.
func work(m *testing.M) int {
	if err := unix.Dup3(4, 1, 0); err != nil {
		fmt.Fprintln(os.Stderr, "benchtest: standard output:", err)
		return 1
	}
	unix.Close(4)
	cache, uid, gid := cache()
	tb, err := testbed.Enter(cache, uid, gid, &cgroup.Options{Controllers: true, Move: true, Scope: systemd.Scope})
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchtest:", err)
		return 1
	}
	tb.Log = func(name string) (*os.File, error) {
		name = filepath.Join(tb.Dir, "logs", name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return nil, err
		}
		return os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	}
	tb.NAT = nat.Publish
	here = tb
	code := m.Run()
	if err := os.RemoveAll(onDiskImages); err != nil {
		fmt.Fprintln(os.Stderr, "benchtest:", err)
		code = max(code, 1)
	}
	if err := tb.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "benchtest: close testbed:", err)
		code = max(code, 1)
	}
	return code
}

// cache is the user's cache folder, and whose its files are.
func cache() (dir string, uid, gid int) {
	uid, gid = owner.IDs()
	if dir = os.Getenv("LAB_CACHE"); dir != "" {
		return dir, uid, gid
	}
	if dir, err := os.UserCacheDir(); err == nil {
		return filepath.Join(dir, "lab"), uid, gid
	}
	return filepath.Join(os.TempDir(), "lab"), uid, gid
}

// Testbed is the testbed that [Main] made. Where there is none the test is
// skipped, and says how to mend that.
func Testbed(t testing.TB) *testbed.Testbed {
	t.Helper()
	if here == nil {
		if lacks == "" {
			t.Fatal("benchtest.Testbed without benchtest.Main: the package's TestMain must call it")
		}
		t.Skip("SKIPPED: " + lacks)
	}
	return here
}

// images is the folder of the tests' images: in the testbed, so that no other test's
// are replaced, and the worker's end removes them. But a tmpfs can be shown with other
// owners from Linux 6.3 on; before, they are on a disk.
var images = sync.OnceValues(func() (string, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "", os.NewSyscallError("uname", err)
	}
	var major, minor int
	fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &major, &minor)
	if major > 6 || major == 6 && minor >= 3 {
		return here.Dir, nil
	}
	dir, err := os.MkdirTemp("", "lab-images-")
	onDiskImages = dir
	return dir, err
})

// onDiskImages is the folder that isn't in the testbed, which work removes.
var onDiskImages string

var defaultImage = sync.OnceValues(func() (image.Ref, error) {
	dir, err := images()
	if err != nil {
		return image.Ref{}, err
	}
	return image.MakeDefault(dir, os.Getuid(), os.Getgid())
})

// Image is the default image, made for this test binary alone. Without a
// static busybox the test is skipped, and says how to mend that.
func Image(t testing.TB) image.Ref {
	t.Helper()
	Testbed(t)
	ref, err := defaultImage()
	if errors.Is(err, image.ErrNoBusybox) {
		t.Skip("SKIPPED: no static busybox: apt-get install busybox-static")
	}
	if err != nil {
		t.Fatal(err)
	}
	return ref
}
