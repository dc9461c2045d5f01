package engine

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/pagecache"
)

// room says whether a trial of a cell may have as much in the work folder as it
// wants, beside what environments keep there: no more than the budget, and than
// there is. Trials, or pairs of them, follow one another, and each leaves nothing, so
// that the largest one's need is the run's.
func (r *Runner) room(c bench.Cell) error {
	if c.Disk == 0 {
		return nil
	}
	need := c.Disk
	if r.Manifest.Paired != nil && !c.Alone { // its partner has as much at the same time
		need *= 2
	}
	for _, e := range r.Envs {
		if k, ok := e.(bench.Keeper); ok && r.asks(e.Name(), nil) {
			need += k.Keeps(bench.Spec{Image: r.Image, Work: true})
		}
	}
	wants := "a trial has up to " + mebibytes(need) + " on the disk at one time"
	if budget := int64(r.Options.DiskBudget); budget > 0 && need > budget {
		return bench.Unavailable(wants+", and --disk-budget allows "+mebibytes(budget), "--disk-budget "+mebibytes(need)+r.smaller())
	}
	var st unix.Statfs_t
	if err := unix.Statfs(r.Work, &st); err != nil {
		return &os.PathError{Op: "statfs", Path: r.Work, Err: err}
	}
	// A file system that is filled to the brim isn't like others.
	if free := int64(st.Bavail) * st.Bsize; free < need+need/10 {
		return bench.Unavailable(fmt.Sprintf("%s, with a tenth of it to spare, and the work folder's disk has %s left", wants, mebibytes(free)),
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

// checkCold says whether the image's files can be out of memory at all, by trying.
func checkCold(s bench.Spec) error {
	if !bench.Cold(s) {
		return nil
	}
	if err := pagecache.Drop(s.Image.Dir); err != nil {
		return bench.Unavailable(err.Error()+": a program uses it, or it is in RAM only (tmpfs)", "end what uses it, or set LAB_CACHE to a folder on a disk")
	}
	return nil
}
