package bench

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"lab/bench/image"
)

// Image is the run's.
func (t *T) Image() image.Ref { return t.image }

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
		return "", NotApplicable(t.env.Name()+" has no place to write to on the work folder's file system", "another --env")
	}
	return p.Place(), nil
}

// room says whether a trial of a cell may have as much in the work folder as it
// wants, beside what environments keep there: no more than the budget, and than
// there is. Trials follow one another, and each leaves nothing, so that the
// largest one's need is the run's.
func (r *Runner) room(c Cell) error {
	if c.Disk == 0 {
		return nil
	}
	need := c.Disk
	for _, e := range r.Envs {
		if k, ok := e.(Keeper); ok && r.asks(e.Name(), nil) {
			need += k.Keeps(Spec{Image: r.Image, Work: true})
		}
	}
	wants := "a trial has up to " + mebibytes(need) + " on the disk at one time"
	if r.Budget > 0 && need > r.Budget {
		return Unavailable(wants+", and --disk-budget allows "+mebibytes(r.Budget), "--disk-budget "+mebibytes(need)+r.smaller())
	}
	var st unix.Statfs_t
	if err := unix.Statfs(r.Work, &st); err != nil {
		return &os.PathError{Op: "statfs", Path: r.Work, Err: err}
	}
	// A file system that is filled to the brim isn't like others.
	if free := int64(st.Bavail) * st.Bsize; free < need+need/10 {
		return Unavailable(fmt.Sprintf("%s and a tenth of it spare, and where the work folder lies there are %s left", wants, mebibytes(free)),
			"make room there, or --work a folder on another disk"+r.smaller())
	}
	return nil
}

func (r *Runner) smaller() string {
	if r.Options.Quick {
		return ""
	}
	return ", or --quick, whose files are smaller"
}

// mebibytes writes a size as ParseSize reads it.
func mebibytes(n int64) string { return fmt.Sprintf("%dM", (n+1<<20-1)>>20) }
