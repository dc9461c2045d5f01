package oci

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/zstd"

	"lab/bench/image"
	"lab/bench/image/store"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func writer(t testing.TB) *store.Writer {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("an image's owners need root: sudo go test")
	}
	w, err := store.In(t.TempDir()).Write()
	must(t, err)
	t.Cleanup(func() { w.Close() })
	return w
}

func archive(t testing.TB, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		h := &tar.Header{Name: files[i], Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(files[i+1])), ModTime: time.Unix(1e9, 0)}
		if strings.HasSuffix(files[i], "/") {
			h.Typeflag, h.Mode = tar.TypeDir, 0o755
		}
		if to, ok := strings.CutPrefix(files[i+1], "-> "); ok {
			h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, to, 0
		}
		must(t, w.WriteHeader(h))
		if h.Size > 0 {
			_, err := w.Write([]byte(files[i+1]))
			must(t, err)
		}
	}
	must(t, w.Close())
	return b.Bytes()
}

func zipped(t testing.TB, data []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write(data)
	must(t, errors.Join(err, z.Close()))
	return b.Bytes()
}

func zstandard(t testing.TB, data []byte) []byte {
	var b bytes.Buffer
	z, err := zstd.NewWriter(&b)
	must(t, err)
	_, err = z.Write(data)
	must(t, errors.Join(err, z.Close()))
	return b.Bytes()
}

// base and top are two layers; what they come to is checked by checkTree.
func base(t testing.TB) []byte {
	return archive(t, "./", "", "etc/", "", "etc/gone", "x", "etc/kept", "1", "bin/", "", "bin/sh", "-> busybox")
}
func top(t testing.TB) []byte {
	return archive(t, "./", "", "etc/", "", "etc/.wh.gone", "", "etc/new", "2")
}

func checkTree(t testing.TB, w *store.Writer, i store.Image) {
	t.Helper()
	dir := w.Ref(i).Dir
	for name, want := range map[string]string{"etc/kept": "1", "etc/new": "2"} {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(b) != want {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	if _, err := os.Lstat(filepath.Join(dir, "etc/gone")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what a layer removed is there: %v", err)
	}
	if sum, size, err := image.Sum(dir); err != nil || sum != i.Tree || size != i.Size {
		t.Errorf("its tree is %s (%d), %v; the record says %s (%d)", sum, size, err, i.Tree, i.Size)
	}
}

// A layoutDir is a folder in OCI's layout that a test makes.
type layoutDir struct {
	t   testing.TB
	dir string
}

func newLayout(t testing.TB) layoutDir {
	l := layoutDir{t, t.TempDir()}
	must(t, os.MkdirAll(filepath.Join(l.dir, "blobs/sha256"), 0o755))
	must(t, os.WriteFile(filepath.Join(l.dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644))
	return l
}

func digestOf(data []byte) v1.Hash {
	s := sha256.Sum256(data)
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(s[:])}
}

func (l layoutDir) blob(data []byte, media types.MediaType) v1.Descriptor {
	h := digestOf(data)
	must(l.t, os.WriteFile(filepath.Join(l.dir, "blobs/sha256", h.Hex), data, 0o644))
	return v1.Descriptor{MediaType: media, Size: int64(len(data)), Digest: h}
}

func (l layoutDir) json(v any, media types.MediaType) v1.Descriptor {
	data, err := json.Marshal(v)
	must(l.t, err)
	return l.blob(data, media)
}

// image makes one of layers; packed are these as they are in the layout.
func (l layoutDir) image(arch string, plain, packed [][]byte) v1.Descriptor {
	c := v1.ConfigFile{OS: "linux", Architecture: arch, RootFS: v1.RootFS{Type: "layers"},
		Config: v1.Config{Entrypoint: []string{"/bin/sh"}, Cmd: []string{"-c", "id"}, Env: []string{"A=b"}, User: "nobody", WorkingDir: "/etc"}}
	m := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1}
	for n, p := range plain {
		c.RootFS.DiffIDs = append(c.RootFS.DiffIDs, digestOf(p))
		m.Layers = append(m.Layers, l.blob(packed[n], types.OCILayer))
	}
	m.Config = l.json(c, types.OCIConfigJSON)
	d := l.json(m, types.OCIManifestSchema1)
	d.Platform = &v1.Platform{OS: "linux", Architecture: arch}
	return d
}

func (l layoutDir) index(all ...v1.Descriptor) {
	data, err := json.Marshal(v1.IndexManifest{SchemaVersion: 2, Manifests: all})
	must(l.t, err)
	must(l.t, os.WriteFile(filepath.Join(l.dir, "index.json"), data, 0o644))
}

// usual is a layout of an image of two layers.
func usual(t testing.TB) (layoutDir, v1.Descriptor) {
	l := newLayout(t)
	b, n := base(t), top(t)
	d := l.image(runtime.GOARCH, [][]byte{b, n}, [][]byte{zipped(t, b), zstandard(t, n)})
	l.index(d)
	return l, d
}

var ctx = context.Background()

// An image keeps its digest, its configuration and its tree through all that it
// can be imported from and exported to.
func TestImportExport(t *testing.T) {
	l, d := usual(t)
	w := writer(t)
	i, err := Import(ctx, w, l.dir, Options{Name: "two:1"})
	must(t, err)
	checkTree(t, w, i)
	if i.Digest != d.Digest.String() || !i.Stacked || i.Start.User != "nobody" || len(i.Start.Entrypoint) != 1 || i.Start.Dir != "/etc" {
		t.Errorf("%+v", i)
	}
	i, err = w.Find("two:1")
	must(t, err)
	folder, file := filepath.Join(t.TempDir(), "layout"), filepath.Join(t.TempDir(), "a.tar")
	must(t, ExportFolder(folder, w.Store, i))
	var b, again bytes.Buffer
	must(t, Export(&b, w.Store, i))
	must(t, Export(&again, w.Store, i))
	if !bytes.Equal(b.Bytes(), again.Bytes()) {
		t.Error("exported again it has other bytes")
	}
	must(t, os.WriteFile(file, zipped(t, b.Bytes()), 0o644))
	for _, from := range []string{folder, file} {
		w := writer(t)
		j, err := Import(ctx, w, from, Options{})
		must(t, err)
		checkTree(t, w, j)
		if j.Digest != i.Digest || j.Tree != i.Tree || len(j.Names) != 1 || j.Names[0] != "two:1" {
			t.Errorf("from %s: %+v", from, j)
		}
	}
	for _, ref := range []string{"two:1", i.Digest, i.ID, i.Tree, i.Digest[:20]} {
		if f, err := w.Find(ref); err != nil || f.Digest != i.Digest {
			t.Errorf("%s: %+v, %v", ref, f, err)
		}
	}
	must(t, w.Remove("two:1"))
	left := 0
	for _, dir := range []string{"images", "blobs/sha256", "layers", "trees", "names"} {
		names, err := filepath.Glob(filepath.Join(filepath.Dir(w.Ref(i).Dir), "..", dir, "*"))
		must(t, err)
		left += len(names)
	}
	if _, err := w.Find("two:1"); !errors.Is(err, store.ErrUnknown) || left != 0 {
		t.Errorf("removed: %v, and %d files are left", err, left)
	}
}

// What docker save wrote before version 25: a folder a layer, and a link where a
// layer is there twice.
func TestImportDocker(t *testing.T) {
	b, n := base(t), top(t)
	config, err := json.Marshal(v1.ConfigFile{OS: "linux", Architecture: runtime.GOARCH,
		RootFS: v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{digestOf(b), digestOf(n), digestOf(n)}}})
	must(t, err)
	name := digestOf(config).Hex + ".json"
	list, err := json.Marshal([]dockerImage{{Config: name, RepoTags: []string{"old:1"}, Layers: []string{"a/layer.tar", "b/layer.tar", "c/layer.tar"}}})
	must(t, err)
	file := filepath.Join(t.TempDir(), "save.tar")
	must(t, os.WriteFile(file, archive(t, "a/", "", "a/layer.tar", string(b), "b/", "", "b/layer.tar", string(n),
		"c/", "", "c/layer.tar", "-> ../b/layer.tar", name, string(config), "manifest.json", string(list)), 0o644))
	w := writer(t)
	i, err := Import(ctx, w, file, Options{})
	must(t, err)
	checkTree(t, w, i)
	if i.ID != digestOf(config).String() || len(i.Names) != 1 || i.Names[0] != "old:1" {
		t.Errorf("%+v", i)
	}
}

// A folder and an archive of a file tree are images of one layer; the same one has
// the same digest.
func TestImportTree(t *testing.T) {
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, "etc"), 0o755))
	for name, data := range map[string]string{"etc/kept": "1", "etc/new": "2"} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(data), 0o644))
	}
	w := writer(t)
	i, err := Import(ctx, w, dir, Options{Name: "tree"})
	must(t, err)
	checkTree(t, w, i)
	file := filepath.Join(t.TempDir(), "tree.tar")
	f, err := w.Open(i.Layers[0])
	must(t, err)
	data := make([]byte, 1<<20)
	k, _ := f.Read(data)
	f.Close()
	must(t, os.WriteFile(file, zipped(t, data[:k]), 0o644))
	j, err := Import(ctx, w, file, Options{Name: "archive"})
	must(t, err)
	if i.Digest != j.Digest {
		t.Errorf("as a folder %s, as an archive %s", i.Digest, j.Digest)
	}
}

// Of an index of many machines' images, this machine's is taken.
func TestPlatform(t *testing.T) {
	l := newLayout(t)
	b := base(t)
	other := l.image("s390x", [][]byte{b}, [][]byte{b})
	mine := l.image(runtime.GOARCH, [][]byte{b, top(t)}, [][]byte{b, top(t)})
	l.index(l.json(v1.IndexManifest{SchemaVersion: 2, Manifests: []v1.Descriptor{other, mine}}, types.OCIImageIndex))
	w := writer(t)
	if i, err := Import(ctx, w, l.dir, Options{}); err != nil || i.Digest != mine.Digest.String() {
		t.Errorf("%+v, %v", i, err)
	}
	if i, err := Import(ctx, w, l.dir, Options{Platform: "linux/s390x"}); err != nil || i.Digest != other.Digest.String() {
		t.Errorf("%+v, %v", i, err)
	}
	if _, err := Import(ctx, w, l.dir, Options{Platform: "linux/riscv64"}); err == nil || !strings.Contains(err.Error(), "linux/s390x") {
		t.Errorf("%v: it doesn't say what there is", err)
	}
}

// From one store to a registry, and from there to another: the same digest.
func TestRegistry(t *testing.T) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	l, d := usual(t)
	w := writer(t)
	i, err := Import(ctx, w, l.dir, Options{Name: "two"})
	must(t, err)
	must(t, Push(ctx, w.Store, i, host+"/some/two:1", Options{}))
	to := writer(t)
	for _, ref := range []string{host + "/some/two:1", host + "/some/two@" + d.Digest.String()} {
		j, err := Pull(ctx, to, ref, Options{})
		must(t, err)
		checkTree(t, to, j)
		if j.Digest != d.Digest.String() || len(j.Names) != 1 || j.Names[0] != ref {
			t.Errorf("%+v", j)
		}
	}
	if _, err := Pull(ctx, to, host+"/some/none:1", Options{}); err == nil {
		t.Error("an image that isn't there was pulled")
	}
}

// A registry that says nothing is given up.
func TestSilentRegistry(t *testing.T) {
	old := patience
	patience = 100 * time.Millisecond
	defer func() { patience = old }()
	stop := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-stop }))
	defer server.Close()
	defer close(stop)
	begun := time.Now()
	_, err := Pull(ctx, writer(t), strings.TrimPrefix(server.URL, "http://")+"/x:1", Options{})
	if err == nil || time.Since(begun) > 20*time.Second {
		t.Errorf("%v after %v", err, time.Since(begun))
	}
}
