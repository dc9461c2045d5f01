package fleet

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"lab/bench/owner"
	"lab/bench/results"
)

// Bounds of what one machine brings back.
const (
	maxFetched = 4 << 30
	maxFiles   = 20_000
	maxDepth   = 8       // of folders; a results folder's are 3
	maxHeaders = 1 << 30 // of the archive itself
	maxTrials  = 128 << 20
	maxLines   = 400_000 // of them, as many as so many bytes have where they are as long as ours
)

// unpack writes the files of a tar archive below root. The archive is another machine's:
// what is no plain file, or nothing that a run writes, is left out (a page is a program,
// and is drawn anew here); a name that leads out of it or comes twice is an error, and so
// is more than a fleet's results have.
func unpack(root *os.Root, from io.Reader) error {
	from = io.LimitReader(from, maxFetched+maxHeaders)
	in := tar.NewReader(from)
	left := int64(maxFetched)
	for n := 0; ; n++ {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			_, err := io.Copy(io.Discard, io.LimitReader(from, 1<<20)) // tar fills its last block
			return err
		}
		if err != nil {
			return fmt.Errorf("what it sent is no archive, or not whole: %w", err)
		}
		name := path.Clean(h.Name)
		left -= h.Size
		switch {
		case n > maxFiles || h.Size < 0 || left < 0:
			return errors.New("what it sent has more than 20,000 files, or than 4 GiB")
		case !filepath.IsLocal(name) || strings.ContainsAny(name, "\\\x00") || strings.Count(name, "/") > maxDepth:
			return fmt.Errorf("what it sent has a file %.100q", h.Name)
		case h.Typeflag != tar.TypeReg || !wanted(name):
			continue
		case path.Base(name) == results.TrialsFile && h.Size > maxTrials:
			return errMany
		}
		if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
			return err
		}
		f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, &fewLines{in, trialLines(name)})
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = fmt.Errorf("what it sent is not whole: %w", err)
		}
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
}

// fewLines is a reader of at most so many lines.
type fewLines struct {
	io.Reader
	left int
}

func (l *fewLines) Read(b []byte) (int, error) {
	n, err := l.Reader.Read(b)
	if l.left -= bytes.Count(b[:n], []byte("\n")); l.left < 0 {
		return 0, errMany
	}
	return n, err
}

var errMany = errors.New("what it sent has more trials than any fleet's experiment")

// trialLines is how many lines a file may have: of trials, each takes many times as much
// memory as bytes.
func trialLines(name string) int {
	if path.Base(name) == results.TrialsFile {
		return maxLines
	}
	return math.MaxInt
}

// wanted says of a file of a machine's archive whether it is kept: what a run writes, and
// the name of a task's node.
func wanted(name string) bool {
	below, in := strings.CutPrefix(name, "results/")
	_, file, _ := strings.Cut(below, "/")
	return name == nodeFile || in && results.IsRuns(file)
}

// take makes the results of one machine from an archive with its folder results/: one
// folder for each scenario that is whole, and is of this fleet's experiment. One that is
// there already stays, and nothing is twice. A machine's report is drawn here, one at a
// time: many machines may send at once, and each takes memory. take returns the scenarios
// that are missing. After an error of this machine's ([local]) what came can be taken
// again.
func (f *Fleet) take(h *Host, from io.Reader) (missing []string, err error) {
	tmp, err := os.MkdirTemp(f.Dir, unfinished)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	root, err := os.OpenRoot(tmp)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if err := unpack(root, from); err != nil {
		return nil, err
	}
	if f.Slurm != nil {
		f.called(h, tmp)
	}
	bare := func(err error) error { return &reworded{err, strings.ReplaceAll(err.Error(), tmp+"/", "")} }
	f.reading.Lock()
	defer f.reading.Unlock()
	for _, name := range f.Scenarios {
		to := f.results(h, name)
		if m, err := f.there(h, name); err != nil {
			return nil, err
		} else if m != nil {
			continue
		}
		came := filepath.Join(tmp, "results", name)
		run, err := results.Read(came)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			missing = append(missing, name)
			continue
		case err != nil:
			return nil, bare(err)
		case run.Manifest.Scenario != name || run.Manifest.Experiment == nil || run.Manifest.Experiment.Digest != f.Experiment.Digest:
			return nil, fmt.Errorf("what it sent as %s isn't of this fleet's experiment", name)
		case !Whole(&run.Manifest):
			missing = append(missing, name)
			continue
		}
		if other := f.runs[run.Manifest.ID]; other != nil && other != h && f.Slurm == nil {
			return nil, fmt.Errorf("it is the same machine as %s; fix: leave one of the names out", other.Name)
		}
		if f.Draw != nil {
			if err := f.Draw(run); err != nil {
				h.Notes = append(h.Notes, short("its report isn't drawn ("+bare(err).Error()+"); fix: lab report"))
			}
		}
		if err := f.move(came, to); err != nil {
			return nil, &localError{err}
		}
		f.knows(h, &run.Manifest, &run.Machine)
	}
	return missing, nil
}

// knows remembers whose a run is, and on which machine it was made.
func (f *Fleet) knows(h *Host, run *results.Manifest, machine *results.Machine) {
	if f.runs == nil {
		f.runs = map[string]*Host{}
	}
	f.runs[run.ID], h.machine = h, machine.ID
}

// reworded is an error in other words.
type reworded struct {
	error
	text string
}

func (t *reworded) Error() string { return t.text }
func (t *reworded) Unwrap() error { return t.error }

// localError is an error of this machine's.
type localError struct{ error }

func (h *localError) Unwrap() error { return h.error }

// local says of an error of take whether it is this machine's. What came is as good as
// before then, and isn't thrown away.
func local(err error) bool {
	var h *localError
	return errors.As(err, &h) || slices.ContainsFunc([]error{unix.ENOSPC, unix.EDQUOT, unix.EIO, unix.ESTALE, unix.EROFS, unix.EACCES, unix.ENOMEM, unix.EMFILE, unix.ENFILE},
		func(e error) bool { return errors.Is(err, e) })
}

// there is the manifest of a machine's results of a scenario; nil: they aren't there.
// Something else in their place is an error.
func (f *Fleet) there(h *Host, scenario string) (*results.Manifest, error) {
	dir := f.results(h, scenario)
	if m, err := manifest(dir); err == nil && Whole(m) {
		return m, nil
	}
	if _, err := os.Lstat(dir); err != nil {
		return nil, nil
	}
	return nil, &localError{fmt.Errorf("%s is there, and isn't a whole run; fix: remove it, then lab fleet resume", dir)}
}

// unfinished is how a folder's name begins that a killed fleet may have left.
const unfinished = ".new-"

func (f *Fleet) sweep() {
	all, _ := os.ReadDir(f.Dir)
	for _, e := range all {
		if strings.HasPrefix(e.Name(), unfinished) {
			os.RemoveAll(filepath.Join(f.Dir, e.Name()))
		}
	}
}

// move gives a folder below the fleet's its name. Nodes of Slurm's
// can write there: no link leads the results elsewhere.
func (f *Fleet) move(from, to string) error {
	root, err := os.OpenRoot(f.Dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, name := range []*string{&from, &to} {
		if *name, err = filepath.Rel(f.Dir, *name); err != nil {
			return err
		}
	}
	if err := root.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	// They are the user's, as those of a run are.
	uid, gid := owner.IDs()
	own := func(name string) error { return owner.Courtesy(root.Lchown(name, uid, gid)) }
	err = fs.WalkDir(root.FS(), filepath.ToSlash(from), func(name string, _ fs.DirEntry, err error) error { return errors.Join(err, own(name)) })
	if err = errors.Join(err, own(filepath.Dir(to))); err != nil {
		return err
	}
	return root.Rename(from, to)
}

// results is the folder of a machine's results.
func (f *Fleet) results(h *Host, scenario string) string {
	return filepath.Join(f.Dir, scenario, h.Folder)
}

// standing says whether none of a machine's results is missing, and remembers whose those
// are that are there. An error is that something else lies in their place.
func (f *Fleet) standing(h *Host) (whole bool, err error) {
	whole = true
	for _, name := range f.Scenarios {
		m, err := f.there(h, name)
		switch {
		case err != nil:
			return false, err
		case m == nil:
			whole = false
		default:
			machine := machineIn(f.results(h, name))
			f.knows(h, m, &machine)
		}
	}
	return whole, nil
}

// hasAll says whether none of a machine's results is missing.
func (f *Fleet) hasAll(h *Host) bool {
	return !slices.ContainsFunc(f.Scenarios, func(name string) bool {
		m, _ := f.there(h, name)
		return m == nil
	})
}
