package fleet

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"

	"lab/bench/input"
)

// taskFile is what a task wrote: tar are its results, done says so, log is how far it
// is, out what went wrong, doctor what lab doctor found, and measured that its node had
// been measured by another task.
func (f *Fleet) taskFile(h *Host, kind string) string {
	return filepath.Join(f.Dir, inSlurm(h, kind))
}

func inSlurm(h *Host, kind string) string {
	return filepath.Join(slurmDir, strconv.Itoa(h.Task)+"."+kind)
}

// open opens what a task wrote. All nodes can write there: no link leads out of the
// fleet's folder, to what this user alone may read or remove.
func (f *Fleet) open(h *Host, kind string) (*os.File, error) {
	root, err := input.OpenRoot(f.Dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return input.OpenIn(root, inSlurm(h, kind))
}

// read is open, for what is small.
func (f *Fleet) read(h *Host, kind string, limit int64) ([]byte, error) {
	root, err := input.OpenRoot(f.Dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return input.ReadIn(root, inSlurm(h, kind), limit)
}

// remove removes files of a task's.
func (f *Fleet) remove(h *Host, kinds ...string) {
	if root, err := input.OpenRoot(f.Dir); err == nil {
		defer root.Close()
		for _, kind := range kinds {
			root.Remove(inSlurm(h, kind))
		}
	}
}

// forget makes a task one that has measured nothing, if its results aren't there: with its
// word that it has it would leave at once, and nobody would ever measure.
func (f *Fleet) forget(h *Host) {
	if _, err := os.Lstat(f.taskFile(h, "tar")); err == nil {
		return
	}
	if data, err := f.read(h, "done", 1<<10); err == nil && hostName.Match(bytes.TrimSpace(data)) {
		if root, err := input.OpenRoot(f.Dir); err == nil {
			defer root.Close()
			root.Remove(filepath.Join(slurmDir, "measured-"+string(bytes.TrimSpace(data))))
		}
	}
	f.remove(h, "done")
}
