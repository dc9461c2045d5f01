// Package oci brings images into the store (bench/image/store) and out of it: from
// and to OCI layouts, archives of "docker save", folders, tar archives and
// registries. A registry's client is linked here alone.
//
// What is read is somebody else's. Every blob must have the digest that names it,
// and every layer's content the one that the configuration gives; what is read is
// bounded; and names in an archive lead nowhere but into the archive.
package oci

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"lab/bench/image/store"
	"lab/bench/input"
)

// Bounds of an image's own descriptions.
const (
	maxManifest = 4 << 20
	maxConfig   = 8 << 20
	maxLayers   = 500
	maxNested   = 3 // indexes in indexes
)

// A source has the blobs of images, and an index that names some.
type source interface {
	index() ([]v1.Descriptor, error)
	open(ctx context.Context, d v1.Descriptor) (io.ReadCloser, error)
}

// Options say what of a source is meant.
type Options struct {
	Name     string // in the store; "" is what the source says
	Ref      string // the image's name in a source of several; "" is the only one
	Platform string // as "linux/arm64"; "" is this machine's
	Insecure bool   // a registry may be spoken to without encryption
	Stdin    io.Reader
}

// layout is a folder in OCI's layout (image-layout.md).
type layout struct{ root *os.Root }

func (l *layout) index() ([]v1.Descriptor, error) {
	data, err := input.ReadIn(l.root, "index.json", maxManifest)
	if err != nil {
		return nil, err
	}
	x, err := v1.ParseIndexManifest(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("index.json: %w", err)
	}
	return x.Manifests, nil
}

func (l *layout) open(_ context.Context, d v1.Descriptor) (io.ReadCloser, error) {
	if d.Digest.Algorithm != "sha256" {
		return nil, fmt.Errorf("%s: its digest isn't SHA-256, the only kind that is read", d.Digest)
	}
	f, err := input.OpenIn(l.root, "blobs/sha256/"+d.Digest.Hex)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("blob %s is missing: the image is only a part; get it again", d.Digest)
	}
	return f, err
}

// blob reads a small blob whole, and checks its digest.
func blob(ctx context.Context, w *store.Writer, s source, d v1.Descriptor, limit int64) ([]byte, error) {
	if err := keep(ctx, w, s, d, limit); err != nil {
		return nil, err
	}
	f, err := w.Open(d.Digest.String())
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}

// keep brings a blob into the store, if it isn't there.
func keep(ctx context.Context, w *store.Writer, s source, d v1.Descriptor, limit int64) error {
	if d.Size < 0 || d.Size > limit {
		return fmt.Errorf("blob %s: it is said to have %d bytes, and at most %d are read", d.Digest, d.Size, limit)
	}
	if w.Has(d.Digest.String()) {
		return nil
	}
	r, err := s.open(ctx, d)
	if err != nil {
		return err
	}
	defer r.Close()
	if _, n, err := w.Blob(r, d.Digest.String(), d.Size); err != nil {
		return fmt.Errorf("blob %s: %w", d.Digest, err)
	} else if n != d.Size {
		return fmt.Errorf("blob %s: it has %d bytes, and is said to have %d", d.Digest, n, d.Size)
	}
	return nil
}

// plain is the uncompressed content of what r has: gzip, zstd, xz or nothing of
// these.
func plain(r io.Reader) (io.ReadCloser, error) {
	b := bufio.NewReaderSize(r, 64<<10)
	head, err := b.Peek(6)
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return gzip.NewReader(b)
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		// Its memory is bounded: a frame may ask for any.
		z, err := zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	case bytes.HasPrefix(head, []byte("\xfd7zXZ\x00")):
		x, err := xz.ReaderConfig{DictCap: 1 << 20}.NewReader(b)
		return io.NopCloser(x), err
	}
	return io.NopCloser(b), nil
}

// dockerImage is one of those in an archive of "docker save", whose manifest.json
// lists them.
type dockerImage struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// fromDocker makes an OCI image of one that "docker save" before version 25 wrote:
// its layers are the archive's files, uncompressed, and have no digests of their
// own.
func fromDocker(w *store.Writer, root *os.Root, o Options) (d v1.Descriptor, name string, err error) {
	data, err := input.ReadIn(root, "manifest.json", maxManifest)
	if err != nil {
		return d, "", err
	}
	var all []dockerImage
	if err := json.Unmarshal(data, &all); err != nil {
		return d, "", fmt.Errorf("manifest.json: %w", err)
	}
	var chosen []dockerImage
	var names []string
	for _, i := range all {
		names = append(names, i.RepoTags...)
		if o.Ref == "" || slices.Contains(i.RepoTags, o.Ref) {
			chosen = append(chosen, i)
		}
	}
	if len(chosen) != 1 {
		return d, "", severalError(len(chosen), names, o.Ref)
	}
	i := chosen[0]
	if len(i.RepoTags) > 0 {
		name = i.RepoTags[0]
	}
	config, err := input.ReadIn(root, i.Config, maxConfig)
	if err != nil {
		return d, "", fmt.Errorf("configuration: %w", err)
	}
	if len(i.Layers) > maxLayers {
		return d, "", fmt.Errorf("it has %d layers, and at most %d are read", len(i.Layers), maxLayers)
	}
	var layers []v1.Descriptor
	for n, l := range i.Layers {
		f, err := input.OpenIn(root, l)
		if err != nil {
			return d, "", fmt.Errorf("layer %d: %w", n+1, err)
		}
		digest, size, err := w.Blob(f, "", math.MaxInt64)
		f.Close()
		if err != nil {
			return d, "", fmt.Errorf("layer %d, %s: %w", n+1, l, err)
		}
		layers = append(layers, descriptor(digest, size, layerType(w, digest)))
	}
	d, err = assemble(w, config, layers)
	return d, name, err
}

func severalError(n int, names []string, ref string) error {
	switch {
	case n == 0 && ref != "":
		return fmt.Errorf("it has no image %s; it has: %s", ref, strings.Join(names, ", "))
	case n == 0:
		return errors.New("it has no image")
	}
	return fmt.Errorf("it has %d images; choose one with --ref: %s", n, strings.Join(names, ", "))
}
