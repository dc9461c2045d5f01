package oci

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"lab/bench/image/store"
)

// take brings the one image that is meant from a source into the store.
func take(ctx context.Context, w *store.Writer, s source, o Options) (i store.Image, err error) {
	all, err := s.index()
	if err != nil {
		return i, err
	}
	var chosen []v1.Descriptor
	var names []string
	for _, d := range all {
		mine := refNames(d)
		names = append(names, mine...)
		if o.Ref == "" || slices.Contains(mine, o.Ref) || d.Digest.String() == o.Ref {
			chosen = append(chosen, d)
		}
	}
	if o.Ref == "" && len(names) > 1 && len(all) > 1 {
		return i, severalError(len(all), names, "")
	}
	if len(chosen) == 0 {
		return i, severalError(0, names, o.Ref)
	}
	name := ""
	if n := refNames(chosen[0]); len(n) > 0 {
		name = n[0]
	}
	d, err := pick(ctx, w, s, chosen, o, 0)
	if err != nil {
		return i, err
	}
	data, err := blob(ctx, w, s, d, maxManifest)
	if err != nil {
		return i, err
	}
	m, err := v1.ParseManifest(bytes.NewReader(data))
	if err != nil {
		return i, fmt.Errorf("manifest %s: %w", d.Digest, err)
	}
	if m.SchemaVersion != 2 || len(m.Layers) > maxLayers {
		return i, fmt.Errorf("manifest %s: version %d with %d layers; version 2 and at most %d layers are read", d.Digest, m.SchemaVersion, len(m.Layers), maxLayers)
	}
	if err := keep(ctx, w, s, m.Config, maxConfig); err != nil {
		return i, fmt.Errorf("configuration: %w", err)
	}
	for n, l := range m.Layers {
		if err := keep(ctx, w, s, l, math.MaxInt64); err != nil {
			return i, fmt.Errorf("layer %d: %w", n+1, err)
		}
	}
	return commit(w, d, name, o)
}

// refNames are the names that a descriptor in an index bears.
func refNames(d v1.Descriptor) (out []string) {
	for _, k := range []string{"io.containerd.image.name", "org.opencontainers.image.ref.name"} {
		if n := d.Annotations[k]; n != "" {
			out = append(out, n)
		}
	}
	return out[:min(len(out), 1)]
}

// pick finds the manifest for the platform among descriptors, those in further
// indexes included.
func pick(ctx context.Context, w *store.Writer, s source, all []v1.Descriptor, o Options, depth int) (d v1.Descriptor, err error) {
	want, err := o.platform()
	if err != nil {
		return d, err
	}
	var have []string
	for _, d := range all {
		if p := d.Platform; p != nil && !d.MediaType.IsIndex() {
			have = append(have, p.String())
			if p.OS != want.OS || p.Architecture != want.Architecture || want.Variant != "" && p.Variant != want.Variant {
				continue
			}
		}
		switch {
		case d.MediaType.IsImage():
			return d, nil
		case d.MediaType.IsIndex():
			if depth++; depth > maxNested {
				return d, errors.New("its indexes are nested too deeply")
			}
			data, err := blob(ctx, w, s, d, maxManifest)
			if err != nil {
				return d, fmt.Errorf("index: %w", err)
			}
			x, err := v1.ParseIndexManifest(bytes.NewReader(data))
			if err != nil {
				return d, fmt.Errorf("index %s: %w", d.Digest, err)
			}
			return pick(ctx, w, s, x.Manifests, o, depth)
		}
	}
	if len(have) == 0 {
		return d, errors.New("it has no image")
	}
	return d, fmt.Errorf("it has no image for %s; it has %s; choose one of these with --platform, if it is only to be looked at", want.String(), strings.Join(have, ", "))
}

// platform is the one that is asked for.
func (o Options) platform() (*v1.Platform, error) {
	if o.Platform == "" {
		return &v1.Platform{OS: "linux", Architecture: runtime.GOARCH}, nil
	}
	p, err := v1.ParsePlatform(o.Platform)
	if err == nil && (p.OS == "" || p.Architecture == "") {
		err = errors.New("not of the form OS/ARCHITECTURE")
	}
	if err != nil {
		return nil, fmt.Errorf("platform %q: %w", o.Platform, err)
	}
	return p, nil
}
