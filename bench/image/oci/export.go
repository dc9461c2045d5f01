package oci

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"lab/bench/image/store"
)

// Export writes an image as an archive in OCI's layout, with the very blobs that
// it was imported with, so that it has the same digest everywhere. docker load of
// every version reads it as well. The same image gives the same bytes.
func Export(w io.Writer, s *store.Store, i store.Image) error {
	t := tar.NewWriter(w)
	err := parts(s, i, func(name string, r io.Reader, size int64) error {
		if err := t.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: size, ModTime: time.Unix(0, 0)}); err != nil {
			return err
		}
		_, err := io.Copy(t, r)
		return err
	})
	return errors.Join(err, t.Close())
}

// ExportFolder writes the same as a folder, which must not be there yet.
func ExportFolder(dir string, s *store.Store, i store.Image) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	return parts(s, i, func(name string, r io.Reader, _ int64) error {
		to := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, r)
		return errors.Join(err, f.Close())
	})
}

// parts gives all files of a layout.
func parts(s *store.Store, i store.Image, put func(name string, r io.Reader, size int64) error) error {
	d := descriptor(i.Digest, i.Length, types.MediaType(i.Media))
	docker := dockerImage{Config: blobPath(i.ID)}
	for _, l := range i.Blobs[2:] { // behind the manifest and the configuration
		docker.Layers = append(docker.Layers, blobPath(l))
	}
	if len(i.Names) > 0 {
		docker.RepoTags = i.Names[:1]
		d.Annotations = map[string]string{"org.opencontainers.image.ref.name": i.Names[0], "io.containerd.image.name": i.Names[0]}
	}
	for _, x := range []struct {
		name string
		v    any
	}{
		{"oci-layout", map[string]string{"imageLayoutVersion": "1.0.0"}},
		{"index.json", v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{d}}},
		{"manifest.json", []dockerImage{docker}},
	} {
		data, err := json.Marshal(x.v)
		if err != nil {
			return err
		}
		if err := put(x.name, bytes.NewReader(data), int64(len(data))); err != nil {
			return err
		}
	}
	done := map[string]bool{} // a layer may be there twice
	for _, b := range i.Blobs {
		if done[b] {
			continue
		}
		done[b] = true
		if err := putBlob(s, b, put); err != nil {
			return fmt.Errorf("blob %s: %w", b, err)
		}
	}
	return nil
}

func putBlob(s *store.Store, digest string, put func(name string, r io.Reader, size int64) error) error {
	f, err := s.Open(digest)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	return put(blobPath(digest), f, st.Size())
}

func blobPath(digest string) string { return path.Join("blobs/sha256", digest[len("sha256:"):]) }
