package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"lab/bench/image"
	"lab/bench/input"
	"lab/bench/request"
	"lab/bench/results"
	"lab/bench/runs"
	"lab/vm/kernel"
)

// A run may have been saved with the bytes that it used (lab image save): the image, and
// guests' kernels. Here they are found when the run is made once more, or gone on with.
//
// What comes with a results folder is somebody else's, and will run as root. So it counts
// by its digest alone: a file is used if its bytes are those that the manifest names, and
// the user is told.

// useSavedImage makes a job use the image that was saved beside a run, where
// this machine's own is another one. Its bytes must be the manifest's.
func (a *app) useSavedImage(run *results.Run, j *runs.Job) error {
	m := run.Manifest
	name := filepath.Join(run.Dir, results.SavedImage)
	f, err := saved(run, results.SavedImage)
	if f == nil || err != nil {
		return err
	}
	defer f.Close()
	if j.Image.Digest == m.Image.Digest {
		return nil
	}
	if !request.Digest(m.Image.Digest).Valid() {
		return fmt.Errorf("%s: %q is no digest", filepath.Join(run.Dir, results.ManifestFile), m.Image.Digest)
	}
	dir := unpackedDir(j.Cache, m.Image.Digest)
	r, err := image.Open(dir)
	if err != nil || r.Digest != m.Image.Digest {
		if r, err = unpackSaved(f, dir, m.Image.Digest, j.UID, j.GID); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	a.note(say("the image is %s, from the results folder: its programs run as root", name))
	r.Name = m.Image.Name
	j.Image = r
	j.Describe(parts)
	return nil
}

// saved opens what was saved beside a run; nil where nothing was.
func saved(run *results.Run, name string) (*os.File, error) {
	root, err := input.OpenRoot(run.Dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := input.OpenIn(root, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return f, err
}

// useSavedKernel does the same for the guests' kernel.
func (a *app) useSavedKernel(run *results.Run, j *runs.Job) error {
	name, err := filepath.Abs(filepath.Join(run.Dir, results.SavedKernel))
	if err != nil {
		return err
	}
	f, err := saved(run, results.SavedKernel)
	if f == nil || err != nil {
		return err
	}
	f.Close()
	if run.Manifest.Kernel.Digest == "" {
		return nil
	}
	if k, err := kernel.Newest(j.Cache); err == nil && k.Digest == run.Manifest.Kernel.Digest {
		return nil
	}
	k, err := kernel.Named(name)
	if err != nil {
		return err
	}
	if want := run.Manifest.Kernel; k.Digest != want.Digest {
		return fmt.Errorf("%s isn't the run's guest kernel: its digest is %s, and the manifest says %s", name, k.Digest, want.Digest)
	}
	j.Options.Kernel = name
	return nil
}

// useNamedKernels finds the kernels of rows that a run had with several of them: those of
// the same name here, if they are the same bytes, or those that were saved beside the run.
// A name may be a path, and somebody else's folder must not have root read whatever file it
// likes: what isn't the kernel that the manifest tells by its digest is no more than named.
func (a *app) useNamedKernels(run *results.Run, j *runs.Job) error {
	for _, name := range j.Options.Variant["kernel"] {
		want := ""
		for _, c := range run.Manifest.Cells {
			if c.Variant["kernel"] == name || c.Settings["kernel"] == name {
				want = cmp.Or(c.Settings[results.KernelDigest], want)
			}
		}
		if want == "" { // it couldn't run then
			if strings.Contains(name, "/") {
				return fmt.Errorf("the guest kernel %s isn't known by its digest, as its rows didn't run; fix: begin a new run", name)
			}
			continue
		}
		if k, err := kernel.Find(j.Cache, name); err == nil && k.Digest == want {
			continue
		}
		if !request.Digest(want).Valid() {
			return fmt.Errorf("%s: %q is no digest", filepath.Join(run.Dir, results.ManifestFile), want)
		}
		part := results.SavedKernelOf(want)
		if want == run.Manifest.Kernel.Digest {
			part = results.SavedKernel
		}
		file, err := filepath.Abs(filepath.Join(run.Dir, part))
		if err != nil {
			return err
		}
		f, err := saved(run, part)
		if err != nil {
			return err
		}
		if f == nil {
			return fmt.Errorf("the guest kernel %s that had the digest %s isn't on this machine; fix: put it there, or save it beside the run where it was made (lab image save)", name, want)
		}
		f.Close()
		k, err := kernel.Named(file)
		if err != nil {
			return err
		}
		if k.Digest != want {
			return fmt.Errorf("%s isn't the run's guest kernel %s: its digest is %s, and the manifest says %s", file, name, k.Digest, want)
		}
		a.note(say("the guest kernel %s is %s, from the results folder", name, file))
		if j.Options.Kernels == nil {
			j.Options.Kernels = map[string]string{}
		}
		j.Options.Kernels[name] = file
	}
	return nil
}
