package store

import (
	"errors"
	"os"
	"path/filepath"
)

// Remove takes a name from the store, or, by a digest, an image with all its
// names; what then belongs to no image any more is removed as well.
func (w *Writer) Remove(ref string) error {
	i, err := w.Find(ref)
	if err != nil {
		return err
	}
	for _, n := range i.Names { // by a name: that one
		if err := os.Remove(w.name(n)); err != nil {
			return err
		}
	}
	all, err := w.List()
	if err != nil {
		return err
	}
	for _, x := range all {
		if x.Digest == i.Digest && len(x.Names) == 0 {
			if err := os.Remove(filepath.Join(w.dir, "images", bare(x.Digest))); err != nil {
				return err
			}
		}
	}
	return w.Collect()
}

// Collect removes blobs, layers and trees that belong to no image.
func (w *Writer) Collect() error {
	all, err := w.List()
	if err != nil {
		return err
	}
	keep := map[string]bool{}
	for _, i := range all {
		keep["trees/"+bare(i.Digest)] = true
		for _, l := range i.Layers {
			keep["layers/"+bare(l)] = true
		}
		for _, b := range i.Blobs {
			keep["blobs/sha256/"+bare(b)] = true
		}
	}
	var errs error
	for _, dir := range []string{"trees", "layers", "blobs/sha256"} {
		entries, err := os.ReadDir(filepath.Join(w.dir, dir))
		errs = errors.Join(errs, err)
		for _, e := range entries {
			if !keep[dir+"/"+e.Name()] {
				errs = errors.Join(errs, os.RemoveAll(filepath.Join(w.dir, dir, e.Name())))
			}
		}
	}
	return errs
}
