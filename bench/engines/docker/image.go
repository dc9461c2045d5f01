package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/moby/moby/client"

	"lab/bench/foreign"
	"lab/bench/image"
)

// A stored image is one that the engine has.
type stored struct {
	id     string // "sha256:…", of the engine's own reckoning
	folder string // of its one layer, on this machine
}

// image gives the engine the image, the first time, and returns what the engine has of it.
func (d *daemon) image(ctx context.Context, api *conn, ref image.Ref) (stored, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	digest, err := foreign.Digest(ref)
	if err != nil {
		return stored{}, err
	}
	if s, ok := d.images[digest]; ok {
		return s, nil
	}
	r := foreign.Archive(ref)
	defer r.Close()
	res, err := api.ImageImport(ctx, client.ImageImportSource{Source: r, SourceName: "-"}, "lab", client.ImageImportOptions{Tag: tag(digest)})
	if err != nil {
		return stored{}, d.call("import the image", err)
	}
	defer res.Close()
	s := stored{}
	for dec := json.NewDecoder(res); ; {
		var m struct{ Status, Error string }
		if err := dec.Decode(&m); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return s, d.call("import the image", err)
		}
		if m.Error != "" {
			return s, fmt.Errorf("docker: import the image: %s", m.Error)
		}
		if strings.HasPrefix(m.Status, "sha256:") {
			s.id = m.Status
		}
	}
	info, err := api.ImageInspect(ctx, s.id)
	if err != nil {
		return s, d.call("inspect the image", err)
	}
	if g := info.GraphDriver; g != nil {
		s.folder = g.Data["UpperDir"]
	}
	d.images[digest] = s
	return s, nil
}
