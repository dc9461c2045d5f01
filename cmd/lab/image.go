package main

import (
	"encoding/json"

	"lab/bench/image"
	"lab/cmd/cli"
)

// openImage is imageDir's with its digest.
func openImage(named, cache string) (image.Ref, error) {
	dir, err := cli.ImageDir(named, cache, true, storedImage)
	if err != nil {
		return image.Ref{}, err
	}
	r, err := image.Open(dir)
	if named == "" {
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
