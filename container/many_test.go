package container

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"lab/bench"
	"lab/bench/benchtest"
	"lab/bench/clock"
	"lab/bench/image"
)

// TestManyStarts: the lab itself stays clean. After thousands of starts every
// thread is in the namespaces that it began in, and there is no thread,
// descriptor, mount or cgroup more than before, and no more memory.
//
// LAB_STARTS says how many; "make chaos" makes ten thousand.
func TestManyStarts(t *testing.T) {
	tb := benchtest.Testbed(t)
	n := 2000
	if s := os.Getenv("LAB_STARTS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal("LAB_STARTS: ", err)
		}
	}
	env := New()
	if err := env.Open(t.Context(), tb); err != nil {
		t.Fatal(err)
	}
	defer env.Close()
	img := benchtest.Image(t)
	start := func(i int) {
		set := map[string]string{}
		if i%4 == 0 {
			set["user"] = "yes"
			if checkTime() == nil {
				set["time"] = "yes"
			}
		}
		settings, err := bench.Resolve(env, set)
		if err != nil {
			t.Fatal(err)
		}
		ctx := context.Background()
		token := bench.Token()
		c, err := env.Prepare(ctx, bench.Spec{Image: img, Settings: settings,
			Command: bench.Command{Argv: []string{image.ReadyPath, token}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := clock.AwaitToken(c.Ready(), []byte(token), 10*time.Second); err != nil {
			t.Fatal(err)
		}
		if x, err := c.Wait(ctx); err != nil || x.Status() != 0 {
			t.Fatal(x, err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 200 { // what is made once, and pools that fill
		start(i)
	}
	began := look(t)
	for i := range n {
		start(i)
	}
	// The last threads are still on their way out.
	var ended self
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		ended = look(t)
		if ended.threads <= began.threads+2 || time.Now().After(deadline) {
			break
		}
	}
	t.Logf("%d starts: before %v, after %v", n, began, ended)
	if ended.threads > began.threads+2 { // Go may need one more or two of its own
		t.Errorf("threads: %d, before %d", ended.threads, began.threads)
	}
	if ended.descriptors > began.descriptors {
		t.Errorf("descriptors: %d, before %d", ended.descriptors, began.descriptors)
	}
	if ended.mounts != began.mounts {
		t.Errorf("mounts: %d, before %d", ended.mounts, began.mounts)
	}
	if ended.cgroups != began.cgroups {
		t.Errorf("cgroups: %d, before %d", ended.cgroups, began.cgroups)
	}
	// A start that leaked as little as 100 bytes would show in ten thousand.
	if grown := ended.heap - began.heap; grown > int64(n)*100+1<<18 {
		t.Errorf("the heap grew by %d bytes, %d a start", grown, grown/int64(n))
	}
}

// self is what the lab's own process is made of.
type self struct {
	threads, descriptors, mounts, cgroups int
	heap                                  int64
}

// look counts, and fails where a thread isn't in the process's namespaces.
func look(t *testing.T) (s self) {
	t.Helper()
	tasks, err := filepath.Glob("/proc/self/task/*")
	if err != nil {
		t.Fatal(err)
	}
	strays := map[string]string{}
	for _, kind := range []string{"mnt", "net", "uts", "ipc", "cgroup"} {
		home, err := os.Readlink("/proc/self/ns/" + kind)
		if err != nil {
			t.Fatal(err)
		}
		for _, task := range tasks {
			// A thread that is ending has no namespaces any more.
			if ns, err := os.Readlink(filepath.Join(task, "ns", kind)); err == nil && ns != home {
				strays[task] = ns
			}
		}
	}
	for task, ns := range strays {
		t.Errorf("thread %s is in %s", task, ns)
	}
	s.threads = len(tasks)
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	s.descriptors = len(fds)
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range b {
		if c == '\n' {
			s.mounts++
		}
	}
	for _, dir := range benchtest.Testbed(t).Cgroups.Dirs() {
		below, err := filepath.Glob(filepath.Join(dir, "*", "cgroup.procs"))
		if err != nil {
			t.Fatal(err)
		}
		s.cgroups += len(below)
	}
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	s.heap = int64(m.HeapAlloc)
	return s
}

func (s self) String() string {
	return fmt.Sprintf("%d threads, %d descriptors, %d mounts, %d cgroups, %d KiB of heap",
		s.threads, s.descriptors, s.mounts, s.cgroups, s.heap>>10)
}
