package oci

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"lab/bench/image"
	"lab/bench/image/layer"
	"lab/bench/image/store"
	"lab/bench/input"
)

// Import brings an image into the store: from a folder or an archive in OCI's
// layout, an archive of "docker save", the root folder of a file tree, or a tar
// archive of one; "-" is an archive on Options.Stdin. Archives may be compressed. If it fails, the store is as before.
func Import(ctx context.Context, w *store.Writer, from string, o Options) (i store.Image, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("import %s: %w", from, err), w.Collect())
		}
	}()
	if from == "-" {
		return importArchive(ctx, w, o.Stdin, o)
	}
	st, err := os.Stat(from)
	if err != nil {
		return i, err
	}
	if st.IsDir() {
		return importFolder(ctx, w, from, o)
	}
	f, err := input.Open(from)
	if err != nil {
		return i, err
	}
	defer f.Close()
	return importArchive(ctx, w, f, o)
}

// importFolder imports what is in a folder.
func importFolder(ctx context.Context, w *store.Writer, dir string, o Options) (i store.Image, err error) {
	root, err := input.OpenRoot(dir)
	if err != nil {
		return i, err
	}
	defer root.Close()
	there := func(name string) bool { _, err := root.Lstat(name); return err == nil }
	switch {
	case there("index.json") && there("oci-layout"):
		return take(ctx, w, &layout{root}, o)
	case there("manifest.json"):
		d, name, err := fromDocker(w, root, o)
		if err != nil {
			return i, err
		}
		return commit(w, d, name, o)
	case there("repositories"):
		return i, errors.New("it was written by Docker before version 1.10, whose layers have no digests; load it into a newer one and save it again")
	}
	ref, err := image.At(dir)
	if err != nil {
		return i, err
	}
	if err := image.NoWhiteouts(ref.Dir); err != nil {
		return i, err
	}
	r, out := io.Pipe()
	go func() { out.CloseWithError(layer.Pack(out, ref.Dir)) }()
	defer r.Close()
	return importTree(w, r, o)
}

// importArchive imports what is in a tar archive.
func importArchive(ctx context.Context, w *store.Writer, f io.Reader, o Options) (i store.Image, err error) {
	r, err := plain(f)
	if err != nil {
		return i, err
	}
	defer r.Close()
	digest, _, err := w.Blob(r, "", math.MaxInt64)
	if err != nil {
		return i, err
	}
	defer func() { err = errors.Join(err, w.Collect()) }() // the archive itself isn't kept
	kept, err := w.Open(digest)
	if err != nil {
		return i, err
	}
	defer kept.Close()
	ofImage, err := holdsImage(kept)
	if err != nil {
		return i, err
	}
	if _, err := kept.Seek(0, io.SeekStart); err != nil {
		return i, err
	}
	if !ofImage {
		return importTree(w, kept, o)
	}
	dir, err := w.Folder()
	if err != nil {
		return i, err
	}
	if _, err := layer.Unpack(kept, dir, &w.Room); err != nil {
		return i, err
	}
	return importFolder(ctx, w, dir, o)
}

// holdsImage says whether a tar archive holds an image's parts, and not a file
// tree.
func holdsImage(r io.Reader) (bool, error) {
	t := tar.NewReader(r)
	for n := 0; ; n++ {
		h, err := t.Next()
		if err == io.EOF {
			if n == 0 {
				return false, errors.New("it is empty")
			}
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("not a tar archive: %w", err)
		}
		switch path.Clean("/" + h.Name) {
		case "/oci-layout", "/manifest.json", "/repositories":
			return true, nil
		}
	}
}

// importTree makes an image of one layer, whose uncompressed archive r has.
func importTree(w *store.Writer, r io.Reader, o Options) (i store.Image, err error) {
	digest, size, err := w.Blob(r, "", math.MaxInt64)
	if err != nil {
		return i, err
	}
	platform, err := o.platform()
	if err != nil {
		return i, err
	}
	hash, err := v1.NewHash(digest)
	if err != nil {
		return i, err
	}
	// No date: the same tree is the same image.
	config, err := json.Marshal(v1.ConfigFile{Architecture: platform.Architecture, OS: platform.OS, Variant: platform.Variant,
		RootFS: v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{hash}}})
	if err != nil {
		return i, err
	}
	d, err := assemble(w, config, []v1.Descriptor{descriptor(digest, size, types.OCIUncompressedLayer)})
	if err != nil {
		return i, err
	}
	return commit(w, d, "", o)
}

// assemble writes a configuration and a manifest.
func assemble(w *store.Writer, config []byte, layers []v1.Descriptor) (d v1.Descriptor, err error) {
	digest, size, err := w.Blob(bytes.NewReader(config), "", maxConfig)
	if err != nil {
		return d, err
	}
	m, err := json.Marshal(v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1,
		Config: descriptor(digest, size, types.OCIConfigJSON), Layers: layers})
	if err != nil {
		return d, err
	}
	if digest, size, err = w.Blob(bytes.NewReader(m), "", maxManifest); err != nil {
		return d, err
	}
	return descriptor(digest, size, types.OCIManifestSchema1), nil
}

// descriptor describes a blob of the store, whose digest is one.
func descriptor(digest string, size int64, media types.MediaType) v1.Descriptor {
	return v1.Descriptor{MediaType: media, Size: size, Digest: v1.Hash{Algorithm: "sha256", Hex: strings.TrimPrefix(digest, "sha256:")}}
}

// layerType is the media type of a layer in the store.
func layerType(w *store.Writer, digest string) types.MediaType {
	head := make([]byte, 4)
	if f, err := w.Open(digest); err == nil {
		io.ReadFull(f, head)
		f.Close()
	}
	switch {
	case head[0] == 0x1f && head[1] == 0x8b:
		return types.OCILayer
	case bytes.Equal(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return types.OCILayerZStd
	}
	return types.OCIUncompressedLayer
}

// commit makes an image of a manifest whose blobs are all in the store.
func commit(w *store.Writer, d v1.Descriptor, name string, o Options) (i store.Image, err error) {
	data, err := blob(context.Background(), w, nil, d, maxManifest)
	if err != nil {
		return i, err
	}
	m, err := v1.ParseManifest(bytes.NewReader(data))
	if err != nil {
		return i, err
	}
	if data, err = blob(context.Background(), w, nil, m.Config, maxConfig); err != nil {
		return i, err
	}
	c, err := v1.ParseConfigFile(bytes.NewReader(data))
	if err != nil {
		return i, fmt.Errorf("configuration %s: %w", m.Config.Digest, err)
	}
	if len(c.RootFS.DiffIDs) != len(m.Layers) || len(m.Layers) == 0 {
		return i, fmt.Errorf("its manifest has %d layers, and its configuration %d: not an image of a file tree, or a damaged one", len(m.Layers), len(c.RootFS.DiffIDs))
	}
	want, err := o.platform()
	if err != nil {
		return i, err
	}
	if c.OS != want.OS || c.Architecture != want.Architecture {
		return i, fmt.Errorf("it is for %s/%s, and not for %s; give --platform %s/%s if it is only to be looked at", c.OS, c.Architecture, want, c.OS, c.Architecture)
	}
	i = store.Image{Digest: d.Digest.String(), ID: m.Config.Digest.String(), Media: string(d.MediaType), Length: d.Size,
		Platform: c.OS + "/" + c.Architecture, Blobs: []string{d.Digest.String(), m.Config.Digest.String()},
		Start: store.Start{Entrypoint: c.Config.Entrypoint, Command: c.Config.Cmd, Env: c.Config.Env, User: c.Config.User, Dir: c.Config.WorkingDir}}
	for n, l := range m.Layers {
		left, err := unpack(w, l.Digest.String(), c.RootFS.DiffIDs[n].String())
		if err != nil {
			return i, fmt.Errorf("layer %d, %s: %w", n+1, l.Digest, err)
		}
		i.Left += left.Devices + left.Attributes
		i.Blobs = append(i.Blobs, l.Digest.String())
		i.Layers = append(i.Layers, c.RootFS.DiffIDs[n].String())
	}
	if o.Name != "" {
		name = o.Name
	} else if store.CheckName(name) != nil {
		name = ""
	}
	return w.Commit(i, name)
}

func unpack(w *store.Writer, digest, diffID string) (left layer.Left, err error) {
	f, err := w.Open(digest)
	if errors.Is(err, fs.ErrNotExist) {
		return left, errors.New("it is missing")
	}
	if err != nil {
		return left, err
	}
	defer f.Close()
	r, err := plain(f)
	if err != nil {
		return left, err
	}
	defer r.Close()
	return w.Layer(r, diffID)
}
