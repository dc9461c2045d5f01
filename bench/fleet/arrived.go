package fleet

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"lab/bench/input"
)

// arrived takes a task's results, if they are there. What can't be taken is measured
// anew by the next start, if that isn't this machine's fault.
func (f *Fleet) arrived(h *Host) bool {
	file, err := f.open(h, "tar")
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	f.set(h, Fetching, nil)
	if text, rerr := f.read(h, "doctor", 4<<20); rerr == nil {
		h.Notes = nil
		f.doctor(h, string(text))
	}
	var missing []string
	if err == nil {
		missing, err = f.take(h, file)
		file.Close()
	}
	if err == nil && len(missing) > 0 {
		err = fmt.Errorf("no results of %s came back", strings.Join(missing, ", "))
	}
	switch {
	case err != nil && local(err):
		f.set(h, Failed, fmt.Errorf("%w; what it measured waits in %s for lab fleet resume", err, f.taskFile(h, "tar")))
		return true
	case err != nil:
		f.remove(h, "tar")
		f.forget(h)
		f.set(h, Failed, err)
		return true
	}
	f.set(h, Done, nil)
	f.came = append(f.came, h)
	return true
}

// keep saves what has come, and only then lets go of where it came from: whoever is killed
// in between finds both, and takes it again. The results' names are in fleet.json alone.
func (f *Fleet) keep() error {
	if err := f.Save(); err != nil {
		return err
	}
	for _, h := range f.came {
		f.remove(h, "tar")
	}
	f.came = nil
	return nil
}

// called names a host after the node that its results are from, which is in a file
// beside them: one on which Slurm was seen to run it, if it was.
func (f *Fleet) called(h *Host, came string) {
	data, err := input.ReadFile(filepath.Join(came, nodeFile), 1<<10)
	name := strings.TrimSpace(string(data))
	if err != nil || !hostName.MatchString(name) || folderOf(name) != name || len(h.on) > 0 && !h.on[name] || slices.ContainsFunc(f.Hosts, func(o *Host) bool { return o != h && o.Folder == name }) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	h.Name, h.Folder = name, name
}
