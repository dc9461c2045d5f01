package fleet

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/clean"
	"lab/bench/input"
	"lab/bench/owner"
	"lab/bench/results"
)

// Names of a fleet's files.
const (
	File       = "fleet.json"
	bundleFile = "bundle.tar.gz" // until lab fleet clean, or all of Slurm's is measured
	nodeFile   = "node"          // of a task's archive
)

// A Fleet is one experiment on many machines, in its folder.
type Fleet struct {
	Dir  string                   `json:"-"`
	Draw func(*results.Run) error `json:"-"` // writes the report of a run that came, in its folder; nil: none is

	Format     int              `json:"format"`
	ID         string           `json:"id"`  // 16 hex digits; of its folder on each machine
	Lab        string           `json:"lab"` // version
	Started    time.Time        `json:"started"`
	Bundle     results.Digested `json:"bundle"`
	Machine    string           `json:"machine"` // that the bundle is for: x86_64
	Experiment results.Digested `json:"experiment"`
	Scenarios  []string         `json:"scenarios"`
	Wait       bool             `json:"wait,omitempty"` // for another lab's lock
	Hosts      []*Host          `json:"hosts"`
	Former     []string         `json:"former,omitempty"` // names that it had, of machines where the lab was
	Shared     []string         `json:"shared,omitempty"` // machine ids that several machines have, as copied disks do
	Slurm      *Slurm           `json:"slurm,omitempty"`

	mu      sync.Mutex       // of the hosts' states
	came    []*Host          // whose results are there, and their archives, too
	reading sync.Mutex       // of one machine's results at a time
	runs    map[string]*Host // by id: whose results are there
}

// A Host is one machine of it, or one task of an array job.
type Host struct {
	Name   string   `json:"name"`   // as ssh takes it
	Folder string   `json:"folder"` // below each scenario's
	State  string   `json:"state"`
	Reason string   `json:"reason,omitempty"` // why it failed
	Notes  []string `json:"notes,omitempty"`  // what doctor and the clock say
	Task   int      `json:"task,omitempty"`   // of Slurm's array

	Reached bool  `json:"reached,omitempty"` // through ssh, once, and not cleaned since: the lab's folder may be there
	Boot    *Boot `json:"boot,omitempty"`    // in which it was seen last

	event Event
	on    map[string]bool // nodes on which Slurm was seen to run it

	machine string // its id, once its results are there
}

// States of a machine.
const (
	Waiting  = "waiting"
	Looking  = "looking"
	Copying  = "copying"
	Checking = "checking"
	Running  = "running"
	Fetching = "fetching"
	Done     = "done"
	Failed   = "failed"
	Dropped  = "dropped" // not in the hosts file any more, with a part of its results here
)

// New makes a fleet's folder, with the experiment in it. What f lacks of Format, ID and
// Started is filled in.
func New(dir string, experiment []byte, f *Fleet) error {
	var id [8]byte
	rand.Read(id[:])
	f.Dir, f.Format, f.ID, f.Started = dir, 1, hex.EncodeToString(id[:]), time.Now().UTC()
	uid, gid := owner.IDs()
	d, err := results.Create(dir, uid, gid, func(w *results.Writer) error { return w.File("experiment.yaml", experiment) })
	if err != nil {
		return err
	}
	d.Close()
	// That is a results folder's, and this is none.
	if err := os.Remove(filepath.Join(dir, results.TrialsFile)); err != nil {
		return err
	}
	return f.Save()
}

// SetHosts says which machines it is for.
func (f *Fleet) SetHosts(names []string) {
	f.Hosts = nil
	for _, name := range names {
		f.Hosts = append(f.Hosts, &Host{Name: name, Folder: folderOf(name), State: Waiting})
	}
}

// UseBundle copies an archive of lab bundle into the fleet's folder. It is for the
// machines that its programs are for.
func (f *Fleet) UseBundle(file string) error {
	in, err := input.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	if f.Machine, err = machineOf(in); err != nil {
		return fmt.Errorf("%s isn't an archive of lab bundle (%w); fix: lab bundle makes one", file, err)
	}
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return err
	}
	out, err := os.OpenFile(f.BundlePath(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(out, sum), in)
	f.Bundle = results.Digested{Name: filepath.Base(file), Digest: fmt.Sprintf("sha256:%x", sum.Sum(nil)), Size: n}
	uid, gid := owner.IDs()
	return errors.Join(err, owner.Courtesy(out.Chown(uid, gid)), out.Close())
}

func noFleet(dir string) error {
	return fmt.Errorf("%s isn't a fleet's folder: it has no %s", dir, File)
}

// Open reads a fleet's folder.
func Open(dir string) (*Fleet, error) {
	data, err := input.ReadFile(filepath.Join(dir, File), 256<<20)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, noFleet(dir)
	}
	if err != nil {
		return nil, err
	}
	f := &Fleet{}
	if err := input.Few(data, maxValues); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, File), err)
	}
	if err := json.Unmarshal(data, f); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, File), err)
	}
	if f.Format != 1 {
		return nil, fmt.Errorf("%s: format %d; this lab reads 1: use a newer lab", filepath.Join(dir, File), f.Format)
	}
	f.Dir = dir
	if err := f.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, File), err)
	}
	return f, nil
}

var (
	scenarioName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)
	digestForm   = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

// check is what is wrong with a fleet.json that somebody may have written by hand. What it
// has leads to paths here and there, and into words for other machines' shells.
func (f *Fleet) check() error {
	if len(f.Hosts) > maxHosts {
		return fmt.Errorf("more than %d machines", maxHosts)
	}
	seen := map[string]bool{}
	for i, h := range f.Hosts {
		if h == nil || h.Folder != folderOf(h.Name) || !hostName.MatchString(h.Name) {
			name := ""
			if h != nil {
				name = h.Name
			}
			return fmt.Errorf("%.100q isn't a machine's name", name)
		}
		if seen[h.Folder] || f.Slurm != nil && h.Task != i {
			return fmt.Errorf("%s is there twice", h.Name)
		}
		seen[h.Folder] = true
		h.State, h.Reason = short(h.State), short(h.Reason)
		h.Notes = h.Notes[:min(len(h.Notes), 10)]
		for i, n := range h.Notes {
			h.Notes[i] = short(n)
		}
	}
	if len(f.Former) > maxHosts {
		return fmt.Errorf("more than %d machines", maxHosts)
	}
	for _, name := range f.Former {
		if !hostName.MatchString(name) {
			return fmt.Errorf("%.100q isn't a machine's name", name)
		}
	}
	if s := f.Slurm; s != nil && s.Folder != "" && (!filepath.IsAbs(s.Folder) || clean.Line(s.Folder) != s.Folder) {
		return fmt.Errorf("%.100q isn't a folder of its nodes", s.Folder)
	}
	for _, name := range f.Scenarios {
		if !scenarioName.MatchString(name) {
			return fmt.Errorf("%.100q isn't a scenario", name)
		}
	}
	if len(f.ID) != 16 || strings.Trim(f.ID, "0123456789abcdef") != "" {
		return errors.New("no id")
	}
	if !digestForm.MatchString(f.Bundle.Digest) {
		return errors.New("it has no bundle: it was ended before it began; fix: remove the folder, and start anew")
	}
	return nil
}

// short is one line of what another machine said, and no more than anybody reads.
func short(s string) string {
	const most = 500
	if r := []rune(clean.Line(s[:min(len(s), 8*most)])); len(r) > most {
		return string(r[:most]) + "…"
	} else {
		return string(r)
	}
}

// Lock takes the fleet's folder, so that it is run once at a time. Closing the file
// gives it back.
func (f *Fleet) Lock() (*os.File, error) { return lock(f.Dir) }

func lock(dir string) (*os.File, error) {
	d, err := input.OpenFolder(dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(d.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		d.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", dir, err)
		}
		return nil, fmt.Errorf("%s: another lab fleet is at it", dir)
	}
	return d, nil
}

// OpenLocked takes a fleet's folder, as Lock does, and reads it then: what another lab wrote
// until it gave the folder back isn't written over.
func OpenLocked(dir string) (*Fleet, *os.File, error) {
	d, err := lock(dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil, nil, noFleet(dir)
	} else if err != nil {
		return nil, nil, err
	}
	f, err := Open(dir)
	if err != nil {
		d.Close()
		return nil, nil, err
	}
	return f, d, nil
}

// Save writes fleet.json, in one step.
func (f *Fleet) Save() error {
	f.mu.Lock()
	data, err := json.MarshalIndent(f, "", "  ")
	f.mu.Unlock()
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(f.Dir)
	if err != nil {
		return err
	}
	defer root.Close()
	uid, gid := owner.IDs()
	return results.Put(root, File, uid, gid, append(data, '\n'))
}

// BundlePath is where the fleet's bundle is.
func (f *Fleet) BundlePath() string { return filepath.Join(f.Dir, bundleFile) }

// bundleID names the bundle's folder on a machine.
func (f *Fleet) bundleID() string {
	return strings.TrimPrefix(f.Bundle.Digest, "sha256:")[:16]
}
