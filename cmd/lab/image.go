package main

import (
	"encoding/json"

	"lab/bench/image"
	"lab/bench/image/store"
	"lab/cmd/cli"
)

// openImage is the image that a user named, or the default one, with its digest.
func openImage(named, cache string) (image.Ref, error) {
	if named != "" {
		return store.Read(cache, named)
	}
	r, err := cli.DefaultImage(cache, true, storedImage)
	if err != nil {
		return image.Ref{}, err
	}
	if r, err = image.Open(r.Dir); err == nil {
		r.Name = "default"
	}
	return r, err
}

// printJSON prints v for other programs.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.Stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
