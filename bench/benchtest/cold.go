package benchtest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"lab/bench"
	"lab/bench/image"
	"lab/bench/pagecache"
)

// cold starts an instance whose files were driven out of the page cache, and
// looks whether they are those that the start reads: they are out of it before,
// and some of each are in it after. With pagecache=warm they stay.
func (s *suite) cold(t *testing.T) {
	Image(t)                                                             // or skips
	ref, err := image.MakeDefault(t.TempDir(), os.Getuid(), os.Getgid()) // the suite's lies in RAM
	if err != nil {
		t.Fatal(err)
	}
	for _, how := range []string{"warm", "cold"} {
		token := bench.Token()
		spec := s.spec(t, bench.Command{Argv: []string{readyPath, token}})
		if _, ok := spec.Settings[bench.PageCache.Name]; !ok {
			t.Fatalf("%s has no setting %s", s.env.Name(), bench.PageCache.Name)
		}
		spec.Settings[bench.PageCache.Name], spec.Image = how, ref
		if err := s.env.Check(s.context(t), spec); errors.Is(err, bench.ErrUnavailable) {
			t.Skipf("SKIPPED: with an image in %s: %v", ref.Dir, err)
		}
		i := s.prepareOne(t, spec)
		// Each of these has something in it that every start reads.
		reads := []string{filepath.Join(ref.Dir, readyPath)}
		if l, ok := i.(bench.Loader); ok {
			reads = l.Loads()
		}
		if len(reads) == 0 {
			t.Fatal("its start reads nothing")
		}
		for _, p := range reads {
			onDisk(t, p)
			touch(t, p)
		}
		if err := bench.Chill(i, spec); err != nil {
			t.Fatal(err)
		}
		for _, p := range reads {
			if n := resident(t, p); (n == 0) != (how == "cold") {
				t.Errorf("pagecache=%s: %d bytes of %s are in the page cache before the start", how, n, p)
			}
		}
		if err := i.Start(s.context(t)); err != nil {
			t.Fatalf("Start: %v", err)
		}
		s.await(t, i, token)
		for _, p := range reads {
			if resident(t, p) == 0 {
				t.Errorf("pagecache=%s: the start read nothing of %s", how, p)
			}
		}
		// What it has mapped would stay.
		if err := i.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
}

// onDisk skips the test where files beside this one lie in RAM and nowhere else:
// on a tmpfs, or an overlay over one.
func onDisk(t *testing.T, path string) {
	t.Helper()
	f, err := os.CreateTemp(filepath.Dir(path), "lab-cold-*")
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := f.Write(make([]byte, 1<<16)); err != nil {
		t.Fatal(err)
	}
	if stayed := (*pagecache.StayedError)(nil); errors.As(pagecache.DropFile(f), &stayed) {
		t.Skipf("SKIPPED: %s lies in RAM; fix: TMPDIR= and LAB_CACHE=folders on a disk make test", path)
	}
}

// each calls f for a file, or for those below a folder.
func each(t *testing.T, path string, f func(*os.File)) {
	t.Helper()
	err := filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		defer file.Close()
		f(file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// touch brings the first page of each file into the page cache.
func touch(t *testing.T, path string) {
	t.Helper()
	each(t, path, func(f *os.File) { f.Read(make([]byte, 1)) })
}

// resident is how much of a file, or of those below a folder, is in the page
// cache, in bytes.
func resident(t *testing.T, path string) (sum int64) {
	t.Helper()
	each(t, path, func(f *os.File) {
		n, _, err := pagecache.Resident(f)
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	})
	return sum
}
