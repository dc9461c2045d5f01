package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"lab/bench/image"
)

// imageDir is the folder of the image that a user named, or of the default
// one, which is made where there is none of this lab's, and made again where
// somebody changed it. With read, that is told by all its bytes.
func imageDir(named, cache string, read bool) (string, error) {
	if named != "" {
		return named, nil
	}
	r, err := storedImage(cache, read)
	if errors.Is(err, image.ErrNoBusybox) {
		return "", fmt.Errorf("%w; make setup, or apt-get install busybox-static", err)
	}
	return r.Dir, err
}

// openImage is imageDir's with its digest.
func openImage(named, cache string) (image.Ref, error) {
	dir, err := imageDir(named, cache, true)
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
