package oci

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sys/unix"

	"lab/bench/image/layer"
	"lab/bench/image/store"
)

// holds lists what is in a store, apart from its own folders.
func holds(t testing.TB, w *store.Writer) string {
	t.Helper()
	top := filepath.Dir(filepath.Dir(w.Ref(store.Image{Digest: "sha256:x"}).Dir))
	var out []string
	for _, dir := range []string{"names", "images", "layers", "trees", "blobs/sha256"} {
		names, err := os.ReadDir(filepath.Join(top, dir))
		must(t, err)
		for _, n := range names {
			out = append(out, dir+"/"+n.Name())
		}
	}
	return strings.Join(out, " ")
}

// An image that isn't what it says is refused with a reason, and the store is as
// before.
func TestHostile(t *testing.T) {
	blobOf := func(l layoutDir, d v1.Descriptor) string {
		return filepath.Join(l.dir, "blobs/sha256", d.Digest.Hex)
	}
	one := func(l layoutDir, plain, packed []byte) v1.Descriptor {
		d := l.image(runtime.GOARCH, [][]byte{plain}, [][]byte{packed})
		l.index(d)
		return d
	}
	b := base
	for _, h := range []struct {
		name  string
		spoil func(t *testing.T, l layoutDir, d v1.Descriptor)
		err   string
	}{
		{"a layer's bytes", func(t *testing.T, l layoutDir, _ v1.Descriptor) {
			p := zipped(t, b(t))
			p[9] ^= 1 // the header's byte for the system: still a whole archive
			must(t, os.WriteFile(filepath.Join(l.dir, "blobs/sha256", digestOf(zipped(t, b(t))).Hex), p, 0o644))
		}, "it is said to be"},
		{"a manifest's bytes", func(t *testing.T, l layoutDir, d v1.Descriptor) {
			data, err := os.ReadFile(blobOf(l, d))
			must(t, err)
			must(t, os.WriteFile(blobOf(l, d), bytes.Replace(data, []byte("2"), []byte("1"), 1), 0o644))
		}, "it is said to be"},
		{"a missing layer", func(t *testing.T, l layoutDir, _ v1.Descriptor) {
			must(t, os.Remove(filepath.Join(l.dir, "blobs/sha256", digestOf(zipped(t, b(t))).Hex)))
		}, "is missing"},
		{"a layer that is a pipe", func(t *testing.T, l layoutDir, _ v1.Descriptor) {
			name := filepath.Join(l.dir, "blobs/sha256", digestOf(zipped(t, b(t))).Hex)
			must(t, errors.Join(os.Remove(name), unix.Mkfifo(name, 0o600)))
		}, "is a pipe"},
		{"a layer that is a link out", func(t *testing.T, l layoutDir, _ v1.Descriptor) {
			name := filepath.Join(l.dir, "blobs/sha256", digestOf(zipped(t, b(t))).Hex)
			must(t, errors.Join(os.Remove(name), os.Symlink("/dev/zero", name)))
		}, "escapes"},
		{"another content", func(t *testing.T, l layoutDir, _ v1.Descriptor) { one(l, b(t), zipped(t, top(t))) }, "the configuration says"},
		{"a size that lies", func(t *testing.T, l layoutDir, d v1.Descriptor) { d.Size--; l.index(d) }, "more than"},
		{"a huge manifest", func(t *testing.T, l layoutDir, d v1.Descriptor) { d.Size = 1 << 40; l.index(d) }, "at most"},
		{"more layers than contents", func(t *testing.T, l layoutDir, _ v1.Descriptor) {
			c := l.json(v1.ConfigFile{OS: "linux", Architecture: runtime.GOARCH, RootFS: v1.RootFS{Type: "layers"}}, types.OCIConfigJSON)
			x := l.blob(b(t), types.OCIUncompressedLayer)
			l.index(l.json(v1.Manifest{SchemaVersion: 2, Config: c, Layers: []v1.Descriptor{x}}, types.OCIManifestSchema1))
		}, "its manifest has 1 layers"},
		{"no image at all", func(t *testing.T, l layoutDir, _ v1.Descriptor) {
			c := l.blob([]byte("{}"), "application/vnd.oci.empty.v1+json")
			x := l.blob([]byte("chart"), "application/x-chart")
			l.index(l.json(v1.Manifest{SchemaVersion: 2, Config: c, Layers: []v1.Descriptor{x}}, types.OCIManifestSchema1))
		}, "not an image of a file tree"},
		{"an index in itself", func(t *testing.T, l layoutDir, d v1.Descriptor) {
			for range 5 {
				d = l.json(v1.IndexManifest{SchemaVersion: 2, Manifests: []v1.Descriptor{d}}, types.OCIImageIndex)
			}
			l.index(d)
		}, "nested too deeply"},
		{"another machine's", func(t *testing.T, l layoutDir, _ v1.Descriptor) {
			d := l.image("s390x", [][]byte{b(t)}, [][]byte{b(t)})
			d.Platform = nil
			l.index(d)
		}, "it is for linux/s390x"},
		{"a layer that leads out", func(t *testing.T, l layoutDir, _ v1.Descriptor) {
			x := archive(t, "../../../../out", "x")
			one(l, x, zipped(t, x))
		}, "leads out of the image"},
		{"half a layer", func(t *testing.T, l layoutDir, _ v1.Descriptor) { one(l, b(t), zipped(t, b(t))[:60]) }, "unexpected EOF"},
		{"a bomb", func(t *testing.T, l layoutDir, _ v1.Descriptor) {
			x := append(b(t), make([]byte, 64<<20)...)
			one(l, x, zstandard(t, x))
		}, layer.ErrRoom.Error()},
		{"an index that is none", func(t *testing.T, l layoutDir, _ v1.Descriptor) {
			must(t, os.WriteFile(filepath.Join(l.dir, "index.json"), []byte("]"), 0o644))
		}, "index.json"},
	} {
		t.Run(h.name, func(t *testing.T) {
			l := newLayout(t)
			w := writer(t)
			x := b(t)
			h.spoil(t, l, one(l, x, zipped(t, x)))
			w.Room.Bytes = 32 << 20
			i, err := Import(ctx, w, l.dir, Options{Name: "x"})
			if err == nil || !strings.Contains(err.Error(), h.err) {
				t.Errorf("%+v, %v; want an error with %q", i, err, h.err)
			}
			if left := holds(t, w); left != "" {
				t.Errorf("in the store there is: %s", left)
			}
		})
	}
}

// One layer twice, and empty ones, are no fault.
func TestSameLayer(t *testing.T) {
	l := newLayout(t)
	x, none := base(t), archive(t)
	l.index(l.image(runtime.GOARCH, [][]byte{x, none, x, none}, [][]byte{zipped(t, x), none, zipped(t, x), none}))
	w := writer(t)
	if i, err := Import(ctx, w, l.dir, Options{}); err != nil || len(i.Layers) != 4 {
		t.Errorf("%+v, %v", i, err)
	}
}

// killedEnv tells the test program that it is the one to be killed, and what it imports.
const killedEnv = "LAB_TEST_IMPORT"

// A lab that is killed at any point of an import leaves a store that is whole: what
// is in it can be used, and the next import removes the rest.
func TestKilled(t *testing.T) {
	if from := os.Getenv(killedEnv); from != "" {
		w, err := store.In(os.Getenv("LAB_CACHE")).Write()
		must(t, err)
		_, err = Import(ctx, w, from, Options{Name: "x"})
		must(t, err)
		return
	}
	writer(t) // or skip
	l := newLayout(t)
	var plain, packed [][]byte
	for i := range 20 {
		files := []string{"./", ""}
		for j := range 20 {
			files = append(files, strings.Repeat("d", i+1)+strings.Repeat("f", j+1), strings.Repeat("x", 5000))
		}
		x := archive(t, files...)
		plain, packed = append(plain, x), append(packed, zipped(t, x))
	}
	l.index(l.image(runtime.GOARCH, plain, packed))
	cache := t.TempDir()
	ended := 0
	for n := range 25 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$", "-test.count=1")
		cmd.Env = append(os.Environ(), killedEnv+"="+l.dir, "LAB_CACHE="+cache)
		must(t, cmd.Start())
		alarm := time.AfterFunc(time.Duration(n*4)*time.Millisecond+10*time.Millisecond, func() { cmd.Process.Kill() })
		if cmd.Wait() == nil {
			ended++
		}
		alarm.Stop()
		all, err := store.In(cache).List()
		must(t, err)
		for _, i := range all {
			if _, err := store.Read(cache, i.Digest); err != nil {
				t.Fatalf("killed after %d steps: %v", n, err)
			}
			w, err := store.In(cache).Write()
			must(t, err)
			must(t, errors.Join(w.Remove(i.Digest), w.Close()))
		}
	}
	w, err := store.In(cache).Write()
	must(t, err)
	defer w.Close()
	i, err := Import(ctx, w, l.dir, Options{Name: "x"})
	must(t, err)
	if _, err := store.Read(cache, "x"); err != nil {
		t.Error(err)
	}
	must(t, w.Remove(i.Digest))
	if left := holds(t, w); left != "" {
		t.Errorf("with its last image removed, in the store there is: %s", left)
	}
	if half, _ := filepath.Glob(filepath.Join(cache, "image/store/.new-*")); len(half) != 1 { // the writer's own
		t.Errorf("half made: %v", half)
	}
	t.Logf("%d of 25 imports ended before they were killed", ended)
}

// FuzzImport gives the importer archives of every kind; what it leaves in the store
// is an image, or nothing.
func FuzzImport(f *testing.F) {
	l, _ := usual(f)
	files := []string{}
	must(f, filepath.WalkDir(l.dir, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		rel, _ := filepath.Rel(l.dir, name)
		files = append(files, rel, string(data))
		return err
	}))
	f.Add(archive(f, files...))
	list, err := json.Marshal([]dockerImage{{Config: "../../etc/passwd", Layers: []string{"/etc/passwd", "-> x"}}})
	must(f, err)
	f.Add(archive(f, "manifest.json", string(list)))
	f.Add(archive(f, "repositories", "{}"))
	f.Add(zipped(f, archive(f, "etc/", "", "etc/passwd", "-> /etc/passwd")))
	f.Add([]byte("\xfd7zXZ\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		w := writer(t)
		w.Room = layer.Room{Entries: 200, Bytes: 4 << 20}
		i, err := Import(ctx, w, "-", Options{Stdin: io.Reader(bytes.NewReader(data))})
		if err != nil {
			if left := holds(t, w); left != "" {
				t.Errorf("%v: in the store there is: %s", err, left)
			}
			return
		}
		must(t, w.Remove(i.Digest))
		if left := holds(t, w); left != "" {
			t.Errorf("removed, in the store there is: %s", left)
		}
	})
}
