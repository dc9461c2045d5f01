package main

import (
	"errors"
	"fmt"
	"os"

	"lab/bench/image"
)

// imageDir is the folder of the image that a user named, or of the default
// one, which is made where there is none.
func imageDir(named, cache string) (string, error) {
	if named != "" {
		return named, nil
	}
	dir := image.DefaultDir(cache)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	uid, gid := owner()
	_, err := image.MakeDefault(cache, uid, gid)
	if errors.Is(err, image.ErrNoBusybox) {
		return "", fmt.Errorf("%w; make setup, or apt-get install busybox-static", err)
	}
	return dir, err
}

// openImage is imageDir's with its digest.
func openImage(named, cache string) (image.Ref, error) {
	dir, err := imageDir(named, cache)
	if err != nil {
		return image.Ref{}, err
	}
	r, err := image.Open(dir)
	if named == "" {
		r.Name = "default"
	}
	return r, err
}
