package store

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Users are found as docker finds them.
func TestAccount(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "etc"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "etc/passwd"), []byte("root:x:0:0::/root:/bin/sh\nweb:x:33:34::/srv:/bin/sh\nshort:x\nbad:x:-1:0:::\n"), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "etc/group"), []byte("web:x:34:\nextra:x:77:root,web\nother:x:78:\n"), 0o644))
	for user, want := range map[string]Account{
		"":          {Home: "/root", Groups: []uint32{77}},
		"web":       {UID: 33, GID: 34, Home: "/srv", Groups: []uint32{77}},
		"33":        {UID: 33, GID: 34, Home: "/srv", Groups: []uint32{77}},
		"web:other": {UID: 33, GID: 78, Home: "/srv"},
		"web:5":     {UID: 33, GID: 5, Home: "/srv"},
		"1000":      {UID: 1000},
		"1000:web":  {UID: 1000, GID: 34},
	} {
		if got, err := (Start{User: user}).Account(dir); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, %v; want %+v", user, got, err, want)
		}
	}
	for _, bad := range []string{"nobody", "web:none", "bad", "4294967296"} {
		if got, err := (Start{User: bad}).Account(dir); err == nil {
			t.Errorf("%q: %+v", bad, got)
		}
	}
	// Outside of the image there are other users.
	must(t, os.Remove(filepath.Join(dir, "etc/passwd")))
	must(t, os.Symlink("/etc/passwd", filepath.Join(dir, "etc/passwd")))
	if got, err := (Start{User: "root"}).Account(dir); err == nil {
		t.Errorf("through a link: %+v", got)
	}
}

// A word is a name, a digest or neither; none leads out of the store.
func TestCheckName(t *testing.T) {
	for _, good := range []string{"nginx", "nginx:1.27", "localhost:5000/a/b@sha256:" + strings.Repeat("0", 64), "A+b_c"} {
		if err := CheckName(good); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", ".", "..", "../x", "/x", "-x", "a b", "a\n", "a%b", "sha256:12", strings.Repeat("a", 201), "ü"} {
		if CheckName(bad) == nil {
			t.Errorf("%q is a name", bad)
		}
	}
	if s := In("/cache"); filepath.Dir(s.name("a/../../b")) != "/cache/image/store/names" {
		t.Errorf("%s", s.name("a/../../b"))
	}
}

// A folder comes before a name; what is neither is said to be.
func TestNamed(t *testing.T) {
	cache := t.TempDir()
	dir := filepath.Join(t.TempDir(), "tree")
	must(t, os.Mkdir(dir, 0o755))
	if r, start, err := Named(cache, dir); err != nil || r.Dir != dir || start != nil {
		t.Errorf("%+v, %v, %v", r, start, err)
	}
	if _, _, err := Named(cache, "none"); err == nil || !strings.Contains(err.Error(), "neither a folder nor an image") {
		t.Error(err)
	}
	if _, _, err := Named(cache, "sha256:"+strings.Repeat("0", 64)); !errors.Is(err, ErrUnknown) {
		t.Error(err)
	}
}

// A folder that isn't a store of this lab's isn't written to.
func TestForeignFolder(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("it needs root: sudo go test")
	}
	for name, files := range map[string]map[string]string{
		"full of something else": {"mine": "x"}, `has format "2"`: {marker: "2\n"},
	} {
		cache := t.TempDir()
		s := In(cache)
		must(t, os.MkdirAll(s.dir, 0o755))
		for f, data := range files {
			must(t, os.WriteFile(filepath.Join(s.dir, f), []byte(data), 0o644))
		}
		if _, err := s.Write(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v: %v", files, err)
		}
	}
	cache := t.TempDir()
	must(t, os.Mkdir(filepath.Join(cache, "image"), 0o755))
	must(t, os.Symlink(t.TempDir(), In(cache).dir))
	if _, err := In(cache).Write(); err == nil {
		t.Error("it was written through a link")
	}
}
