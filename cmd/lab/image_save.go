package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"lab/bench/image"
	"lab/bench/image/archive"
	"lab/bench/owner"
	"lab/bench/results"
	"lab/bench/usercache"
	"lab/cmd/cli"
	"lab/reports"
	"lab/vm/kernel"
)

// To save is to promise that these are the bytes that ran. So most of this file is
// refusals: a folder whose sums don't agree, an image or a kernel whose digest isn't the
// one that the run wrote down. What is saved becomes one of the folder's own files, with
// its sums, so that lab check and lab reproduce find it without being told.

// imageSaveCommand is lab image save. A results folder says by digests which bytes
// ran; with the bytes themselves beside it, others can run the very same ones years
// later, when no distribution has that kernel any more.
func (a *app) imageSaveCommand() *cobra.Command {
	var named, kernelName string
	cmd := &cobra.Command{
		Use: "save DIR | save FILE",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return cli.Usagef("image save: which results folder, or which file? lab image save DIR")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if st, err := os.Stat(args[0]); err == nil && st.IsDir() {
				return a.saveBeside(args[0], named, kernelName)
			}
			return a.saveFile(args[0], named)
		},
	}
	cmd.Flags().StringVar(&named, "image", "", cli.ImageHelp)
	cmd.Flags().StringVar(&kernelName, "kernel", "", "`FILE` guest kernel (default: the set-up's; also LAB_KERNEL)")
	completeFlags(cmd)
	return cmd
}

// saveFile writes an image to a new file.
func (a *app) saveFile(name, named string) error {
	// No digest is asked for here: whoever names a file gets the image as it is now.
	r, err := a.namedImage(named)
	if err != nil {
		return err
	}
	if err := a.newFile(name, func(w io.Writer) error { return archive.Write(r.Dir, w) }); err != nil {
		return fmt.Errorf("image save: %w", err)
	}
	return sayTo(a.Page, "%s: image %s, %s\n", name, r.Name, r.Digest)
}

// newFile writes a file that isn't there yet, and belongs to the user.
func (a *app) newFile(name string, write func(io.Writer) error) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists, and isn't overwritten; name another file, or a results folder", name)
	}
	if err != nil {
		return err
	}
	uid, gid := owner.IDs()
	if err := errors.Join(write(f), owner.Courtesy(f.Chown(uid, gid)), f.Close()); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}

// saveBeside writes a run's image and guest kernel into its folder.
func (a *app) saveBeside(dir, named, kernelName string) error {
	run, err := results.Read(dir)
	if err != nil {
		return fmt.Errorf("image save: %w", err)
	}
	m := run.Manifest
	// The list of sums is written anew, and must not hide a change.
	wrong, err := reports.CheckSums(dir)
	if err != nil {
		return fmt.Errorf("image save: %w", err)
	}
	if len(wrong) > 0 {
		return fmt.Errorf("image save: %s was changed:\n     %s", dir, reports.Lines(wrong))
	}
	r, err := a.namedImage(named)
	if err != nil {
		return err
	}
	// The image of today may be another one than the run's: saving that would make the
	// folder say what isn't so.
	if r.Digest != m.Image.Digest {
		return fmt.Errorf("image save: the image in %s isn't the run's: its digest is %s, and the run's was %s; name the run's folder with --image", r.Dir, r.Digest, m.Image.Digest)
	}
	kernels, err := runsKernels(m, kernelName)
	if err != nil {
		return err
	}
	f, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("image save: %w", err)
	}
	defer f.Close()
	uid, gid, err := owner.Of(f)
	if err != nil {
		return err
	}
	// The folder keeps its owner, though root may be saving into it.
	w, err := results.NewWriter(f, uid, gid)
	if err != nil {
		return err
	}
	defer w.Close()
	if err := w.Stream(results.SavedImage, func(f io.Writer) error { return archive.Write(r.Dir, f) }); err != nil {
		return fmt.Errorf("image save: %w", err)
	}
	sayTo(a.Page, "%s: image %s\n", filepath.Join(dir, results.SavedImage), r.Digest)
	for part, k := range kernels {
		data, err := k.Read()
		if err == nil {
			err = w.File(part, data)
		}
		if err != nil {
			return fmt.Errorf("image save: %w", err)
		}
		sayTo(a.Page, "%s: guest kernel %s, %s\n", filepath.Join(dir, part), k.Version, k.Digest)
	}
	// Last, so that a list of sums never names a file that isn't whole.
	return reports.WriteSums(dir, uid, gid)
}

// runsKernels finds the guest kernels of a run, each with the part of the folder that it is
// saved in: the first of them as results.SavedKernel, and those of rows with another one by
// their digest. named is the user's file for the first.
func runsKernels(m results.Manifest, named string) (map[string]kernel.Kernel, error) {
	cache, err := usercache.Dir()
	if err != nil {
		return nil, err
	}
	if named, err = kernelFile(named); err != nil {
		return nil, err
	}
	out := map[string]kernel.Kernel{}
	for _, want := range m.Kernels() {
		part, names := results.SavedKernel, []string{named}
		if len(out) > 0 {
			part, names = results.SavedKernelOf(want.Digest), nil
		}
		for _, c := range m.Cells {
			if c.Settings[results.KernelDigest] == want.Digest {
				names = append(names, c.Settings["kernel"], kernel.FullName)
			}
		}
		k, err := sameKernel(cache, want.Digest, names)
		if err != nil {
			return nil, fmt.Errorf("image save: the run's guest kernel %s: %w; name it with --kernel", want.Name, err)
		}
		if k.Digest != want.Digest {
			return nil, fmt.Errorf("image save: the guest kernel %s isn't the run's: its digest is %s, and the run's was %s (%s); name that with --kernel",
				k.Image, k.Digest, want.Digest, want.Name)
		}
		out[part] = k
	}
	return out, nil
}

// sameKernel is the first of the named kernels that has a digest, or else the first.
func sameKernel(cache, digest string, names []string) (first kernel.Kernel, err error) {
	for i, name := range names {
		k, kerr := kernel.Find(cache, name)
		if kerr == nil && k.Digest == digest {
			return k, nil
		}
		if i == 0 {
			first, err = k, kerr
		}
	}
	return first, err
}

// unpackSaved unpacks an image into the folder dir, which appears whole or not
// at all. The machine's lock is held: nobody else unpacks.
func unpackSaved(f *os.File, dir, digest string, uid, gid int) (r image.Ref, err error) {
	defer f.Close()
	parent := filepath.Dir(dir)
	// Closed to others: what is in it may be setuid.
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return r, err
	}
	if err := owner.Courtesy(os.Lchown(parent, uid, gid)); err != nil {
		return r, err
	}
	old, _ := filepath.Glob(filepath.Join(parent, ".new-*")) // of a lab that was killed
	for _, o := range append(old, dir) {
		if err := os.RemoveAll(o); err != nil {
			return r, err
		}
	}
	// It is filled under another name, checked against the digest, and only then gets
	// its own: whoever finds it later needn't ask whether it is whole.
	tmp, err := os.MkdirTemp(parent, ".new-")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(tmp) // fails once it was renamed
	if err := archive.Unpack(f, tmp, uid, gid); err != nil {
		return r, err
	}
	got, _, err := image.Sum(tmp)
	if err != nil {
		return r, err
	}
	if got != digest {
		return r, fmt.Errorf("it isn't the run's image: its digest is %s, and the manifest says %s", got, digest)
	}
	if err := os.Rename(tmp, dir); err != nil {
		return r, err
	}
	return image.Open(dir)
}
