package testbed_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"lab/bench/benchtest"
	"lab/bench/cgroup"
	"lab/bench/testbed"
)

// A hundred things that look like the lab's, and aren't, are there after a hundred
// sweeps, with all that is in them.
func TestDecoys(t *testing.T) {
	mine := benchtest.Testbed(t)
	run, work := filepath.Join(t.TempDir(), "lab"), t.TempDir()
	defer testbed.SetRunDir(run)()
	var decoys, inside []string
	add := func(name string, make func(string) error) {
		t.Helper()
		if err := make(name); err != nil {
			t.Fatal(err)
		}
		decoys = append(decoys, name)
		t.Cleanup(func() { unix.Rmdir(name) }) // no temporary folder removes a cgroup's
	}
	folder := func(name string) error { return os.MkdirAll(name, 0o755) }
	full := func(name string) error {
		if err := os.MkdirAll(name, 0o755); err != nil {
			return err
		}
		inside = append(inside, filepath.Join(name, "precious"))
		return os.WriteFile(filepath.Join(name, "precious"), nil, 0o644)
	}
	tagged := func(tag string) func(string) error {
		return func(name string) error {
			if err := os.MkdirAll(name, 0o755); err != nil {
				return err
			}
			return unix.Setxattr(name, cgroup.Tag, []byte(tag), 0)
		}
	}
	precious := filepath.Join(t.TempDir(), "precious")
	if err := full(precious); err != nil {
		t.Fatal(err)
	}
	link := func(name string) error { return os.Symlink(precious, name) }
	names := []string{"lab", "lab-", "notes", "LAB-" + testbed.NewID(), testbed.NewID() + "0", testbed.NewID()[1:], "lab-" + testbed.NewID() + "-vm-1",
		"lab-0DEADBEE", "lab-precious", ".lab-" + testbed.NewID(), "0deadbeg"}
	// Next to run folders: of other names, and whatever isn't a folder.
	add(run, folder)
	for _, n := range names {
		add(filepath.Join(run, n), full)
	}
	add(filepath.Join(run, testbed.NewID()), link)
	add(filepath.Join(run, testbed.NewID()), func(name string) error { return os.WriteFile(name, nil, 0o644) })
	// Next to work folders: of other names, though tagged; of the lab's name without
	// its tag, empty or not; with another's tag; a link to what has one.
	for _, n := range names {
		add(filepath.Join(work, n), tagged(testbed.NewID()))
	}
	for range 10 {
		add(filepath.Join(work, "lab-"+testbed.NewID()), full)
		add(filepath.Join(work, "lab-"+testbed.NewID()), folder)
		add(filepath.Join(work, "lab-"+testbed.NewID()), tagged(testbed.NewID()))
	}
	id := testbed.NewID()
	target := filepath.Join(t.TempDir(), "target")
	if err := tagged(id)(target); err != nil {
		t.Fatal(err)
	}
	add(filepath.Join(work, "lab-"+id), func(name string) error { return os.Symlink(target, name) })
	decoys = append(decoys, target)
	// A dead testbed's run folder may announce a work folder: only its own, and
	// only with its tag.
	for i, to := range []string{precious, filepath.Join(work, "notes"), filepath.Join(work, "lab-precious"), "/", ".."} {
		dead := filepath.Join(run, testbed.NewID())
		if err := os.MkdirAll(dead, 0o700); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			to = filepath.Join(work, "lab-"+filepath.Base(dead))
			add(to, full)
		}
		if err := os.Symlink(to, filepath.Join(dead, "work")); err != nil {
			t.Fatal(err)
		}
	}
	// Cgroup folders: the lab's name without its tag; its tag with what is no ID.
	if mine.Cgroups != nil {
		for _, d := range mine.Cgroups.Dirs() {
			point := filepath.Dir(d)
			for range 5 {
				add(filepath.Join(point, "lab-"+testbed.NewID()), folder)
			}
			for i, tag := range []string{"", ".", "..", "../" + filepath.Base(run), "precious", "0DEADBEE"} {
				add(filepath.Join(point, fmt.Sprintf("decoy-%d-%s", i, testbed.NewID())), tagged(tag))
			}
		}
	}
	if len(decoys) < 100 {
		t.Errorf("%d decoys, want 100", len(decoys))
	}
	for range 100 {
		if _, err := testbed.Sweep(); err != nil {
			t.Fatal(err)
		}
		testbed.SweepWork(work)
	}
	exist(t, true, decoys...)
	exist(t, true, inside...)
}
