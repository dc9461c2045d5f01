package launch

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"lab/bench"
)

// The first path that can be executed is taken; else the error is of what is there and
// can't be, and of the workload.
func TestLookup(t *testing.T) {
	modes := map[string]uint32{"/a/ls": unix.S_IFREG | 0o644, "/b/ls": unix.S_IFREG | 0o755, "/a/link": unix.S_IFLNK | 0o777, "/b/dir": unix.S_IFDIR | 0o755}
	mode := func(path string) (uint32, error) {
		if m, ok := modes[path]; ok {
			return m, nil
		}
		return 0, unix.ENOENT
	}
	for name, want := range map[string]struct {
		path string
		err  error
	}{
		"ls": {"/b/ls", nil}, "link": {"/a/link", nil}, "/a/ls": {"", unix.EACCES}, "dir": {"", unix.EACCES}, "none": {"", unix.ENOENT}, "": {"", ErrNoCommand},
	} {
		got, err := Lookup(bench.Command{Argv: []string{name}, Env: []string{"PATH=/a:/b"}}, mode)
		if got != want.path || !errors.Is(err, want.err) || err != nil && bench.Whose(err) != bench.BlameWorkload {
			t.Errorf("%q: %q, %v", name, got, err)
		}
	}
	if _, err := Lookup(bench.Command{}, mode); !errors.Is(err, ErrNoCommand) {
		t.Error(err)
	}
}
