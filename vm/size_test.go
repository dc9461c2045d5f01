package vm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/cgroup"
	"lab/bench/testbed"
	"lab/vm/foreign"
)

// Guests that the limits around the lab don't bind aren't compared with what they do.
func TestElsewhere(t *testing.T) {
	if err := bench.CheckElsewhere([]cgroup.Bound{{What: "pids", Text: "4000"}}, "guests", ""); err != nil {
		t.Errorf("a limit that moves no figure: %v", err)
	}
	err := bench.CheckElsewhere([]cgroup.Bound{{What: "pids"}, {What: "cpu", Text: "20 % of a processor", Dir: "/x"}}, "the foreign libvirt's guests", "leave out --connect")
	if !errors.Is(err, bench.ErrNotApplicable) || !strings.Contains(err.Error(), "cpu 20 % of a processor, of /x") {
		t.Errorf("%v", err)
	}
}

// libvirt lets QEMU run on all processors: where the lab itself may use some alone,
// its guests are told so.
func TestAllowed(t *testing.T) {
	before := allowed()
	runtime.LockOSThread() // and it ends with the test's goroutine
	var may unix.CPUSet
	if err := unix.SchedGetaffinity(0, &may); err != nil {
		t.Fatal(err)
	}
	if may.Count() == 1 {
		t.Skip("SKIPPED: there is one processor")
	}
	last := 0
	for n := range 1024 {
		if may.IsSet(n) {
			last = n
		}
	}
	var one unix.CPUSet
	one.Set(last)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		t.Fatal(err)
	}
	if got := allowed(); got != strconv.Itoa(last) {
		t.Errorf("allowed %q on processor %d alone; %q before", got, last, before)
	}
	e := New()
	e.tb, e.far = &testbed.Testbed{}, &foreign.Libvirt{}
	if i := e.newInstance(bench.Spec{}, e.plain()); i.cfg.Allowed != "" {
		t.Errorf("another machine's libvirt is told %q", i.cfg.Allowed)
	}
}

// A guest has the size that was asked for, and QEMU's threads run where they
// may.
func TestSizeOfGuest(t *testing.T) {
	e := open(t)
	var may unix.CPUSet
	if err := unix.SchedGetaffinity(0, &may); err != nil {
		t.Fatal(err)
	}
	last := 0
	for n := range 1024 {
		if may.IsSet(n) {
			last = n
		}
	}
	s := spec(t, e, "/bin/sleep", "1000")
	s.Settings["memory"], s.Settings["vcpus"], s.Settings["tbcache"] = "192M", "2", "64M"
	s.Limits.CPUSet = fmt.Sprint(last)
	got := e.Resolved(s)
	for k, want := range map[string]string{"memory": fmt.Sprint(192 << 20), "vcpus": "2", "acpi": "on", "tb-cache": fmt.Sprint(64 << 20)} {
		if got[k] != want {
			t.Errorf("resolved %s is %q, want %q", k, got[k], want)
		}
	}
	i := start(t, e, s)
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", i.pid))
	if err != nil {
		t.Fatal(err)
	}
	line := strings.ReplaceAll(string(b), "\x00", " ")
	for _, want := range []string{"tb-size=64", "-m 192", "-smp 2"} {
		if !strings.Contains(line, want) {
			t.Errorf("no %s in %s", want, line)
		}
	}
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", i.pid))
	if err != nil || len(threads) < 3 {
		t.Fatalf("threads %q, %v", threads, err)
	}
	for _, f := range threads {
		status, err := os.ReadFile(f)
		if err != nil {
			continue // it has ended
		}
		if !strings.Contains(string(status), fmt.Sprintf("Cpus_allowed_list:\t%d\n", last)) {
			t.Errorf("a thread of QEMU's may run elsewhere than on %d:\n%s", last, status)
		}
	}
}
