package debian

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Without a maker there is one error with its fix; and no shell ever sees a package's
// name that isn't one.
func TestRefused(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if err := Make(context.Background(), t.TempDir(), []string{"nginx"}); !errors.Is(err, ErrNoMaker) {
		t.Error(err)
	}
	if err := Packages([]string{"libstdc++6", "g++", "0ad", "python3.11"}); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "-o", "a b", "a,b", "A", "+x", "../x"} {
		if Packages([]string{bad}) == nil {
			t.Errorf("%q is taken for a package", bad)
		}
	}
}

// What differs each time, and what only people read, is gone; licences stay.
func TestSettle(t *testing.T) {
	dir := t.TempDir()
	want := map[string]bool{"etc/hosts": true, "usr/share/doc/x/copyright": true, "usr/share/doc/x/README": false, "usr/share/man/man1/x.1": false,
		"var/log/dpkg.log": false, "etc/machine-id": false, "var/lib/dpkg/status": true, "var/lib/dpkg/status-old": false}
	for name := range want {
		name = filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(name), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	old := time.Date(2019, 2, 3, 4, 5, 6, 0, time.UTC)
	if err := errors.Join(os.Chtimes(filepath.Join(dir, "etc/hosts"), old, old), settle(dir)); err != nil {
		t.Fatal(err)
	}
	for name, stays := range want {
		st, err := os.Stat(filepath.Join(dir, name))
		if (err == nil) != stays {
			t.Errorf("%s: %v", name, err)
		} else if stays && !st.ModTime().Equal(old) && !st.ModTime().Equal(made) {
			t.Errorf("%s has the time %v", name, st.ModTime())
		}
	}
	if st, err := os.Stat(filepath.Join(dir, "usr/share/doc/x")); err != nil || !st.ModTime().Equal(made) {
		t.Errorf("a folder that lost a file has the time %v, %v", st.ModTime(), err)
	}
}
