package results

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/clean"
	"lab/bench/input"
	"lab/bench/owner"
)

// Names of what a run writes itself.
const (
	ManifestFile = "manifest.json"
	MachineFile  = "machine.json"
	TrialsFile   = "trials.jsonl"

	// ExperimentFile is a copy of the experiment file that asked for the run.
	ExperimentFile = "experiment.yaml"

	// SavedImage and SavedKernel are the bytes that ran, where somebody saved
	// them beside the results.
	SavedImage  = "saved/image.tar.gz"
	SavedKernel = "saved/vmlinuz"

	LogsDir    = "logs"
	SamplesDir = "samples"
)

// SavedKernelOf is where the bytes of one of several guest kernels are saved, by its digest.
func SavedKernelOf(digest string) string {
	digits := strings.TrimPrefix(digest, "sha256:")
	return SavedKernel + "-" + digits[:min(12, len(digits))]
}

// IsData says of a name in a results folder whether it is what a run measured, or was asked.
func IsData(name string) bool {
	return slices.Contains([]string{ManifestFile, MachineFile, TrialsFile, GuessFile, ExperimentFile}, name) || path.Dir(name) == SamplesDir
}

// IsRuns says of a name in a results folder whether a run writes it, and no report: data,
// logs, a saved image and kernel.
func IsRuns(name string) bool {
	dir := path.Dir(name)
	return (IsData(name) || dir == LogsDir || name == SavedImage || dir == path.Dir(SavedKernel) && strings.HasPrefix(name, SavedKernel)) &&
		ownName(path.Base(name))
}

// ownName says whether a run gives such a name to a log, samples, or what it saves. It is
// no regular expression, which would be compiled at each start of the lab.
func ownName(name string) bool {
	const begin = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	return name != "" && len(name) <= 201 && strings.Contains(begin, name[:1]) && strings.Trim(name, begin+"_.+=,:@-") == ""
}

// What is in a results folder survives. A trial is one write, so that after SIGKILL
// every whole trial is there; it is on the disk SyncEvery later at the most, and when
// the Writer is closed, so that a power failure takes no more than that. A file that is
// replaced is on the disk before it takes its name, and so is a folder with its first
// files: at every moment there is a whole one or none. What a report draws can be drawn
// again, and isn't waited for.

// SyncEvery is how long trials may be in memory alone. They aren't waited for one by
// one, as a disk takes longer than many a trial; nor within one.
const SyncEvery = 5 * time.Second

// A Writer writes a run's files below one folder, through its descriptor.
// Its methods may be called from several goroutines.
type Writer struct {
	root     *os.Root
	uid, gid int

	mu      sync.Mutex
	trials  *os.File
	samples map[string]bool // files of them that were written to
	synced  time.Time       // when the trials were on the disk
	dirty   bool            // some aren't
}

// NewWriter writes below the folder that dir is open on; it doesn't take dir
// over. What it makes belongs to uid and gid.
func NewWriter(dir *os.File, uid, gid int) (*Writer, error) {
	// The descriptor's magic link leads to the folder itself, also where no
	// path of this mount namespace does (proc_pid_fd(5)).
	root, err := os.OpenRoot(fmt.Sprintf("/proc/self/fd/%d", dir.Fd()))
	if err != nil {
		return nil, fmt.Errorf("open results folder: %w", err)
	}
	w := &Writer{root: root, uid: uid, gid: gid, samples: map[string]bool{}, synced: time.Now()}
	w.trials, err = w.open(TrialsFile, os.O_WRONLY|os.O_CREATE|os.O_APPEND)
	if err != nil {
		root.Close()
		return nil, fmt.Errorf("open results folder: %w", err)
	}
	return w, nil
}

// open opens a file below the folder, making what it lies in.
func (w *Writer) open(name string, flag int) (*os.File, error) {
	for i, c := range name {
		if c != '/' {
			continue
		}
		if err := w.root.Mkdir(name[:i], 0o755); err == nil {
			err = owner.Courtesy(w.root.Lchown(name[:i], w.uid, w.gid))
			if err != nil {
				return nil, err
			}
		} else if !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	// Without waiting: in a folder that is gone on with, a pipe may lie there.
	f, err := w.root.OpenFile(name, flag|unix.O_NONBLOCK, 0o644)
	if err != nil {
		return nil, err
	}
	if err = input.Regular(name, f); err == nil {
		err = owner.Courtesy(f.Chown(w.uid, w.gid))
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Manifest writes manifest.json, replacing an earlier one at once or not at
// all.
func (w *Writer) Manifest(m *Manifest) error {
	return w.replace(ManifestFile, clean.Strings(m, clean.Text))
}

// Machine writes machine.json in the same way.
func (w *Writer) Machine(m *Machine) error {
	return w.replace(MachineFile, clean.Strings(m, clean.Text))
}

func (w *Writer) replace(name string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return w.stream(name, true, func(to io.Writer) error { _, err := to.Write(append(data, '\n')); return err })
}

// File writes a file of the results folder, replacing an earlier one at once
// or not at all.
func (w *Writer) File(name string, data []byte) error {
	return w.Stream(name, func(to io.Writer) error { _, err := to.Write(data); return err })
}

// Put is File below any folder: what it makes belongs to uid and gid, and -1 leaves that
// as it is.
func Put(root *os.Root, name string, uid, gid int, data []byte) error {
	return (&Writer{root: root, uid: uid, gid: gid}).File(name, data)
}

// Stream is File for what is too large to be kept in memory.
func (w *Writer) Stream(name string, fill func(io.Writer) error) error {
	return w.stream(name, false, fill)
}

// stream is Stream; durable says that the file is on the disk when it returns.
func (w *Writer) stream(name string, durable bool, fill func(io.Writer) error) error {
	tmp := path.Join(path.Dir(name), "."+path.Base(name)+".new")
	f, err := w.open(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, w.bare(err))
	}
	err = fill(f)
	if err == nil && durable {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = w.root.Rename(tmp, name)
	}
	if err == nil && durable {
		syncFolder(w.root.Name())
	}
	if err != nil {
		w.root.Remove(tmp)
		return fmt.Errorf("write %s: %w", name, w.bare(err))
	}
	return nil
}

// bare is an error without the path of a file of ours: it leads through a
// descriptor, and says nothing to anybody.
func (w *Writer) bare(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) && (strings.HasPrefix(p.Path, w.root.Name()+"/") || !path.IsAbs(p.Path) && strings.HasSuffix(p.Path, ".new")) {
		return p.Err
	}
	return err
}

// Log makes a file in logs/, appending to what is there.
func (w *Writer) Log(name string) (*os.File, error) {
	f, err := w.open(path.Join(LogsDir, name), os.O_WRONLY|os.O_CREATE|os.O_APPEND)
	if err != nil {
		return nil, fmt.Errorf("open log %s: %w", name, err)
	}
	return f, nil
}

// Trial appends the lines of a trial, or of a pair's two, in one write, and marks
// each trial's last. When the write comes back short (a full disk), what was written of it is cut off
// again, so that the file holds whole trials alone.
func (w *Writer) Trial(lines []Line) error {
	if len(lines) == 0 {
		return errors.New("write trial: it has no lines")
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for i, l := range lines {
		l.Last = i == len(lines)-1 || lines[i+1].Trial != l.Trial
		// What a guest or a program said may be in it.
		if err := enc.Encode(clean.Strings(l, clean.Text)); err != nil { // NaN and Inf aren't JSON
			return fmt.Errorf("write trial: metric %s: %w", l.Metric, err)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	before, err := w.trials.Stat()
	if err != nil {
		return fmt.Errorf("write trial: %w", err)
	}
	if _, err := w.trials.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write %s: %w", TrialsFile, errors.Join(w.bare(err), w.trials.Truncate(before.Size())))
	}
	w.dirty = true
	if time.Since(w.synced) < SyncEvery {
		return nil
	}
	return w.sync()
}

// sync puts what was measured on the disk.
func (w *Writer) sync() error {
	var errs []error
	if w.dirty {
		errs = append(errs, w.trials.Sync())
	}
	for name := range w.samples {
		f, err := w.root.Open(name)
		if err == nil {
			err = errors.Join(f.Sync(), f.Close())
		}
		errs = append(errs, err)
	}
	w.synced, w.dirty = time.Now(), false
	clear(w.samples)
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("write %s: %w", TrialsFile, w.bare(err))
	}
	return nil
}

// Samples appends a trial's distributions to samples/, a file a metric.
func (w *Writer) Samples(samples []Sample) error {
	for _, s := range samples {
		if !safeMetric(s.Metric) {
			return fmt.Errorf("write samples: metric %q isn't a file name", s.Metric)
		}
		data, err := json.Marshal(s)
		name := path.Join(SamplesDir, s.Metric+".jsonl")
		if err == nil {
			w.mu.Lock()
			err = w.append(name, append(data, '\n'))
			w.samples[name] = true
			w.mu.Unlock()
		}
		if err != nil {
			return fmt.Errorf("write samples of %s: %w", s.Metric, w.bare(err))
		}
	}
	return nil
}

// append adds to a file of the folder in one write; what came short is cut off
// again.
func (w *Writer) append(name string, data []byte) error {
	f, err := w.open(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND)
	if err != nil {
		return err
	}
	defer f.Close()
	before, err := f.Stat()
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		return errors.Join(err, f.Truncate(before.Size()))
	}
	return nil
}

// Close closes the files. What was written stays.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return errors.Join(w.sync(), w.trials.Close(), w.root.Close())
}
