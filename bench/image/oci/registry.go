package oci

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"lab/bench/image/store"
)

// patience is how long a registry may be silent.
var patience = 30 * time.Second

// A repository is a source in a registry.
type repository struct {
	ref name.Reference
}

func reference(ref string, o Options) (name.Reference, error) {
	var opts []name.Option
	if o.Insecure {
		opts = append(opts, name.Insecure)
	}
	r, err := name.ParseReference(ref, opts...)
	if err != nil {
		return nil, fmt.Errorf("%q names no image of a registry: %w; it looks like REGISTRY/NAME:TAG", ref, err)
	}
	return r, nil
}

// remotely are the options of a registry's client: who the user is there is
// what docker login and podman login keep.
func remotely(ctx context.Context) []remote.Option {
	t := remote.DefaultTransport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout = patience
	return []remote.Option{remote.WithContext(ctx), remote.WithTransport(t), remote.WithAuthFromKeychain(authn.DefaultKeychain)}
}

func (r *repository) index() ([]v1.Descriptor, error) {
	return nil, errors.New("a registry has no index")
}

// open asks for a manifest or a blob.
func (r *repository) open(ctx context.Context, d v1.Descriptor) (io.ReadCloser, error) {
	at := r.ref.Context().Digest(d.Digest.String())
	if d.MediaType.IsImage() || d.MediaType.IsIndex() {
		got, err := remote.Get(at, remotely(ctx)...)
		if err != nil {
			return nil, err
		}
		return io.NopCloser(bytes.NewReader(got.Manifest)), nil
	}
	ctx, cancel := context.WithCancel(ctx)
	l, err := remote.Layer(at, remotely(ctx)...)
	if err != nil {
		cancel()
		return nil, err
	}
	c, err := l.Compressed()
	if err != nil {
		cancel()
		return nil, err
	}
	return &impatient{c, time.AfterFunc(patience, cancel), cancel}, nil
}

// impatient gives up a connection on which nothing comes any more.
type impatient struct {
	io.ReadCloser
	alarm  *time.Timer
	cancel context.CancelFunc
}

func (i *impatient) Read(b []byte) (int, error) {
	n, err := i.ReadCloser.Read(b)
	if errors.Is(err, context.Canceled) {
		err = fmt.Errorf("the registry sent nothing for %v: %w", patience, err)
	}
	i.alarm.Reset(patience)
	return n, err
}

func (i *impatient) Close() error {
	i.alarm.Stop()
	defer i.cancel()
	return i.ReadCloser.Close()
}

// Pull brings an image from a registry into the store. Its name there is ref, if no
// other is given. If it fails, the store is as before.
func Pull(ctx context.Context, w *store.Writer, ref string, o Options) (i store.Image, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("pull %s: %w", ref, err), w.Collect())
		}
	}()
	r, err := reference(ref, o)
	if err != nil {
		return i, err
	}
	got, err := remote.Get(r, remotely(ctx)...)
	if err != nil {
		return i, err
	}
	if o.Name == "" {
		o.Name = ref
	}
	return take(ctx, w, &pulled{repository{r}, got.Descriptor}, o)
}

// pulled is one image of a registry.
type pulled struct {
	repository
	first v1.Descriptor
}

func (p *pulled) index() ([]v1.Descriptor, error) { return []v1.Descriptor{p.first}, nil }

// Push brings an image of the store to a registry, with the same digest.
func Push(ctx context.Context, s *store.Store, i store.Image, ref string, o Options) error {
	r, err := reference(ref, o)
	if err != nil {
		return err
	}
	img, err := partial.CompressedToImage(&stored{s, i})
	if err == nil {
		err = remote.Write(r, img, remotely(ctx)...)
	}
	if err != nil {
		return fmt.Errorf("push %s: %w", ref, err)
	}
	return nil
}

// stored is an image of the store as the registry's client takes it.
type stored struct {
	s *store.Store
	i store.Image
}

func (s *stored) MediaType() (types.MediaType, error) { return types.MediaType(s.i.Media), nil }
func (s *stored) RawManifest() ([]byte, error)        { return s.read(s.i.Digest, maxManifest) }
func (s *stored) RawConfigFile() ([]byte, error)      { return s.read(s.i.ID, maxConfig) }

func (s *stored) read(digest string, limit int64) ([]byte, error) {
	f, err := s.s.Open(digest)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}

func (s *stored) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	m, err := partial.Manifest(s)
	if err != nil {
		return nil, err
	}
	for _, d := range append(m.Layers, m.Config) {
		if d.Digest == h {
			return &storedLayer{s.s, d}, nil
		}
	}
	return nil, fmt.Errorf("the image has no layer %s", h)
}

type storedLayer struct {
	s *store.Store
	d v1.Descriptor
}

func (l *storedLayer) Digest() (v1.Hash, error)            { return l.d.Digest, nil }
func (l *storedLayer) Size() (int64, error)                { return l.d.Size, nil }
func (l *storedLayer) MediaType() (types.MediaType, error) { return l.d.MediaType, nil }
func (l *storedLayer) Compressed() (io.ReadCloser, error)  { return l.s.Open(l.d.Digest.String()) }
