package vm

import (
	"errors"
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
	if err := elsewhere([]cgroup.Bound{{What: "pids", Text: "4000"}}); err != nil {
		t.Errorf("a limit that moves no figure: %v", err)
	}
	err := elsewhere([]cgroup.Bound{{What: "pids"}, {What: "cpu", Text: "20 % of a processor", Dir: "/x"}})
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
