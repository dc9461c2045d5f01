package main

import (
	"os"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// Programs that write in one folder at a time have a file each, on a file system
// that makes none without a name, too, and leave none.
func TestFilesOfTheirOwn(t *testing.T) {
	for name, open := range map[string]func(string) (*os.File, error){"nameless": nameless, "unnamed": unnamed} {
		dir := t.TempDir()
		files := make([]*os.File, 64)
		var all sync.WaitGroup
		for i := range files {
			all.Go(func() {
				var err error
				if files[i], err = open(dir); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if t.Failed() {
			return
		}
		var infos []os.FileInfo
		for _, f := range files {
			defer f.Close()
			st, err := f.Stat()
			if err != nil {
				t.Fatal(err)
			}
			for _, other := range infos {
				if os.SameFile(st, other) {
					t.Fatalf("%s: two programs hold one file", name)
				}
			}
			infos = append(infos, st)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%s: left in the folder: %v, %v", name, left, err)
		}
	}
}

// No page that is held is like another one: not of the same kind, not of the
// other, and not of another program's.
func TestPagesDiffer(t *testing.T) {
	const size = 3 << 20
	seen, page := map[string]bool{}, os.Getpagesize()
	for _, token := range []string{"lab-000000000001", "lab-000000000002"} { // two instances
		k := newMark(token)
		anon, err := pages(size)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Munmap(anon)
		k.touch(anon)
		file, err := mapped(t.TempDir(), size, k)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Munmap(file)
		for _, m := range [][]byte{anon, file} {
			for i := 0; i < len(m); i += page {
				if seen[string(m[i:i+page])] {
					t.Fatalf("the page at %d KiB is like another one", i>>10)
				}
				seen[string(m[i:i+page])] = true
			}
		}
	}
}
