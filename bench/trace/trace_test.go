package trace

import (
	"encoding/binary"
	"os/exec"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// What a thread and its children ask for is counted, each call by its number.
func TestCounts(t *testing.T) {
	if err := Check(); err != nil {
		t.Skip("SKIPPED: this machine can't count: ", err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	w, err := New([]int{unix.Getpid()})
	if err != nil {
		t.Fatal(err)
	}
	const calls = 12345
	for range calls {
		unix.RawSyscall(unix.SYS_GETPGID, 0, 0, 0)
	}
	if err := exec.Command("sh", "-c", "umask 022; umask 022").Run(); err != nil {
		t.Fatal(err)
	}
	c := w.Stop()
	if n := c.Kinds[unix.SYS_GETPGID]; n > calls || n+c.Lost < calls {
		t.Errorf("%d of %d calls, %d lost", n, calls, c.Lost)
	}
	if c.Lost == 0 && c.Kinds[unix.SYS_UMASK] < 2 {
		t.Errorf("a child's calls: %v", c.Kinds)
	}
	if c.Calls < calls || c.Calls > 2*calls {
		t.Errorf("%d calls in all, of which %d are known", c.Calls, calls)
	}
	var sum int64
	for _, n := range c.Kinds {
		sum += n
	}
	// Ending the count is calls, too, where one counts oneself.
	if d := c.Calls - sum - c.Lost; d < 0 || d > 1000 {
		t.Errorf("%d by number and %d lost of %d", sum, c.Lost, c.Calls)
	}
}

// A guest's exit has the cause that its vendor's number has.
func TestCauses(t *testing.T) {
	for _, x := range []struct {
		isa, reason uint32
		want        Cause
	}{{1, 30, ByIO}, {1, 48, ByMemory}, {2, 0x7b, ByIO}, {2, 0x78, ByHalt}, {2, 12, ByOther}, {9, 30, ByOther}} {
		raw := make([]byte, 32)
		binary.NativeEndian.PutUint32(raw[8:], x.reason)
		binary.NativeEndian.PutUint32(raw[24:], x.isa)
		if got := cause(raw); got != x.want {
			t.Errorf("%d of vendor %d: %s, want %s", x.reason, x.isa, got, x.want)
		}
	}
	if got := cause(nil); got != ByOther {
		t.Errorf("nothing: %s", got)
	}
}
