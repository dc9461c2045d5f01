package bench

import (
	"context"
	"os"

	"golang.org/x/sys/unix"

	"lab/bench/cgroup"
	"lab/bench/image"
)

// Home is a folder of the testbed's, as programs on the host see it, for what a trial
// itself makes: the work folder, or a tmpfs that ends with the testbed.
func (t *T) Home() string { return t.plan.Home }

// HomeDisk is the "MAJOR:MINOR" of the disk that Home is on; an error says that it is on
// none.
func (t *T) HomeDisk() (string, error) {
	var st unix.Stat_t
	if err := unix.Stat(t.plan.Home, &st); err != nil {
		return "", &os.PathError{Op: "stat", Path: t.plan.Home, Err: err}
	}
	return cgroup.WholeDisk(st.Dev)
}

// Image is the run's.
func (t *T) Image() image.Ref { return t.plan.Image }

// Place is the folder, as a program of the cell sees it, in which what it writes
// lies in the testbed's work folder (see Placer). It is the same for every
// instance of the cell, and known before there is one.
func (t *T) Place(ctx context.Context) (string, error) {
	i, err := t.Prepare(ctx, t.Spec(Command{Argv: []string{image.ProbePath}}))
	if err != nil {
		return "", err
	}
	p, ok := i.(Placer)
	if err := t.Close(i); err != nil {
		return "", err
	}
	if !ok {
		return "", NotApplicable(t.plan.Env.Name()+" has no place to write to on the work folder's file system", "leave it out of --env")
	}
	return p.Place(), nil
}
