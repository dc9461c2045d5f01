package scenarios

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"lab/bench"
	"lab/bench/appfile"
	"lab/bench/clock"
	"lab/bench/image"
	"lab/bench/image/debian"
	"lab/bench/image/oci"
	"lab/bench/image/store"
	"lab/bench/usercache"
)

// What a trial of provisioning begins with (Request.From).
const (
	fromStore    = "store"
	fromRegistry = "registry"
	fromPackages = "packages"
	fromDisk     = "disk"
)

// A provider has what a run's trials take an application from.
type provider struct {
	addr  string            // of the registry that they pull from
	disk  string            // a guest's disk that they copy
	first map[string]string // by row: what the first trial's application was, and said
}

// imageName is the image's name in the registry.
const imageName = "/lab/app:1"

// ready makes before the first trial, untimed, what trials begin with.
func (p *provider) ready(ctx context.Context, t *bench.T, from string) error {
	switch {
	case from == fromRegistry && p.addr == "":
		return p.serve(ctx, t)
	case from == fromDisk && p.disk == "":
		disk := filepath.Join(t.Home(), "golden.ext4")
		if err := t.Image().WriteExt4(ctx, disk); err != nil {
			return err
		}
		p.disk = disk
	}
	return nil
}

// serve makes the registry, with the run's image in it. It ends with the worker.
func (p *provider) serve(ctx context.Context, t *bench.T) error {
	dir := filepath.Join(t.Home(), "registry")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	addr, stop, err := oci.Serve(dir)
	if err != nil {
		return err
	}
	err = stored(filepath.Join(t.Home(), "origin"), func(w *store.Writer) error {
		i, err := oci.Import(ctx, w, t.Image().Dir, oci.Options{})
		if err != nil {
			return err
		}
		return oci.Push(ctx, w.Store, i, addr+imageName, oci.Options{Insecure: true})
	})
	if err != nil {
		return errors.Join(fmt.Errorf("registry: %w", err), stop())
	}
	p.addr = addr
	return os.RemoveAll(filepath.Join(t.Home(), "origin"))
}

// stored opens a store in a folder to be changed.
func stored(dir string, change func(*store.Writer) error) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	w, err := store.In(dir).Write()
	if err != nil {
		return err
	}
	return errors.Join(change(w), w.Close())
}

// provide brings an application's content into a new folder: what it is, and what it was
// brought by, "" if it was there.
func (p *provider) provide(ctx context.Context, t *bench.T, a *appfile.App, from, dir string) (in content, by string, err error) {
	switch in.Ref = t.Image(); from {
	case fromRegistry:
		in.Ref, err = pull(ctx, dir, p.addr+imageName)
		return in, "pull", err
	case fromPackages:
		cache, err := usercache.Dir()
		if err != nil {
			return in, "", err
		}
		tree := filepath.Join(dir, "tree")
		if err := os.Mkdir(tree, 0o755); err != nil {
			return in, "", err
		}
		if err := debian.Install(ctx, tree, debian.Repository(cache, a.Packages), a.Packages); err != nil {
			return in, "", err
		}
		in.Ref, err = image.At(tree)
		return in, "install", err
	case fromDisk:
		in.disk = filepath.Join(dir, "disk.ext4")
		return in, "copy", copyFile(p.disk, in.disk)
	}
	return in, "", nil
}

// pull brings an image into a new store.
func pull(ctx context.Context, dir, name string) (ref image.Ref, err error) {
	err = stored(dir, func(w *store.Writer) error {
		i, err := oci.Pull(ctx, w, name, oci.Options{Insecure: true, Name: "app"})
		if err == nil {
			ref = w.Ref(i)
		}
		return err
	})
	return ref, err
}

// copyFile copies a file to a new one.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// alike records whether a service is what the first of its row was: the content that it
// was made of, and what it answers.
func (p *provider) alike(ctx context.Context, t *bench.T, c bench.Cell, s *service, in content) error {
	digest, err := in.Digest, error(nil)
	switch {
	case in.disk != "":
		digest, _, err = image.SumFile(filepath.Dir(in.disk), filepath.Base(in.disk))
	case digest == "":
		digest, _, err = image.Sum(in.Dir)
	}
	if err != nil {
		return err
	}
	answer, err := askUntil(ctx, s.addr, s.app, func([]byte) bool { return false })
	if !s.app.Answered(answer) {
		return s.explain(bench.Blamed(bench.BlameWorkload, err))
	}
	is, row := digest+" "+s.app.Content(answer), c.Env+c.Variant["from"]
	if p.first[row] == "" {
		p.first[row] = is
		return nil
	}
	same := 0.
	if p.first[row] == is {
		same = 1
	}
	t.Record("same", same)
	return nil
}

// marked is when what brought the content had ended, as a phase.
func marked(by string, at clock.Time) []clock.Mark {
	if by == "" {
		return nil
	}
	return []clock.Mark{{Name: by, At: at}}
}
