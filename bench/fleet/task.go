package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/clean"
	"lab/bench/engine"
	"lab/bench/input"
	"lab/bench/results"
	"lab/bench/runs"
)

// An Event is a line of JSON that a task says: how far it is, and its end.
type Event struct {
	Scenario string `json:"scenario,omitempty"`
	Done     int    `json:"done"`  // trials of it, warm-ups included
	Total    int    `json:"total"` // 0: not known yet
	End      bool   `json:"end,omitempty"`
	Err      string `json:"err,omitempty"` // at the end: why not all is measured
}

// A Task is one machine's part of a fleet: a folder with experiment.yaml, of whose
// scenarios each gets a results folder below results/.
type Task struct {
	Dir       string
	Lab       string   // the program
	Scenarios []string // of the experiment
	Work      string   // the folder that it names, which no results have
	Wait      bool     // for another lab's lock

	out  io.Writer
	mu   sync.Mutex // of out
	stop context.Context
}

// Run measures what isn't measured yet: a scenario that was interrupted is resumed, one
// that is complete is left alone. It says each second on out how far it is, and ends
// the scenario at its next trial when stop is done. An error was said on out, too.
func (t *Task) Run(stop context.Context, out io.Writer) error {
	t.out, t.stop = out, stop
	err := t.run()
	e := Event{End: true}
	if err != nil {
		e.Err = err.Error()
	}
	t.say(e)
	return err
}

func (t *Task) run() error {
	// An earlier task of the same folder may still be ending: its connection is gone, and
	// it heard so a moment ago.
	lock, err := input.OpenFolder(t.Dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	for begin := time.Now(); unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil; {
		if !t.Wait && time.Since(begin) > 5*time.Minute {
			return errors.New("an earlier task is still measuring there, and doesn't end")
		}
		select {
		case <-t.stop.Done():
			return errStopped
		case <-time.After(time.Second):
			t.say(Event{})
		}
	}
	if err := os.MkdirAll(filepath.Join(t.Dir, "results"), 0o755); err != nil {
		return err
	}
	for _, name := range t.Scenarios {
		if err := t.scenario(name); err != nil {
			return err
		}
	}
	return nil
}

var errStopped = errors.New("stopped: whoever asked for it is gone, or stopped it")

func (t *Task) scenario(name string) error {
	dir := filepath.Join(t.Dir, "results", name)
	begin := []string{"run", "-f", filepath.Join(t.Dir, "experiment.yaml"), "--only", name, "--out", dir, "--guess", "none"}
	args := begin
	m, err := manifest(dir)
	switch {
	case err == nil && Whole(m):
		return nil
	case err == nil:
		args = []string{"run", "--resume", dir}
	}
	if m != nil && m.Asked != nil && m.Asked.Work != "" {
		args = append(args, "--work", t.Work)
	}
	said, err := t.lab(name, dir, args)
	if err != nil && args[1] == "--resume" && strings.Contains(said, "resume:") {
		// It can't be resumed: another kernel was booted since, for instance. What there is
		// would be half a run of another machine.
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
		said, err = t.lab(name, dir, begin)
	}
	if m, merr := manifest(dir); merr == nil && Whole(m) {
		return nil // a row that can't run here, or a trial that failed, is in it
	}
	if t.stop.Err() != nil {
		return errStopped
	}
	if err == nil {
		err = errors.New("it ended before its plan did")
	}
	if said != "" {
		return errors.New(said)
	}
	return fmt.Errorf("lab run: %w", err)
}

// lab runs the lab, and returns the last line of what it said.
func (t *Task) lab(name, dir string, args []string) (string, error) {
	if t.Wait {
		args = append(args, "--wait")
	}
	said := &clean.Tail{Most: mostSaid}
	cmd := exec.Command(t.Lab, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "LANGUAGE=", "LANG=C")
	cmd.Stdout, cmd.Stderr = io.Discard, said
	// If this process is killed the run ends as by Ctrl-C: at its next trial. The kernel
	// says so when the thread ends that started it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGINT}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return "", err
	}
	ended := make(chan error, 1)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		t.watch(name, dir, cmd.Process, ended)
	}()
	err := cmd.Wait()
	ended <- err
	<-watched
	return lastLine(said.String()), err
}

// watch says how far a run is until it has ended, and ends it when stop is done: as
// Ctrl-C does, and after a minute as a second one does.
func (t *Task) watch(name, dir string, p *os.Process, ended <-chan error) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	stop := t.stop.Done()
	var deadline <-chan time.Time
	counter := &counter{dir: dir}
	for {
		select {
		case <-ended:
			return
		case <-stop:
			stop, deadline = nil, time.After(time.Minute)
			p.Signal(syscall.SIGINT)
		case <-deadline:
			deadline = time.After(10 * time.Second)
			p.Signal(syscall.SIGINT)
		case <-tick.C:
			done, total := counter.count()
			t.say(Event{Scenario: name, Done: done, Total: total})
		}
	}
}

// say writes an event; that nobody hears it ends nothing here.
func (t *Task) say(e Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if data, err := json.Marshal(e); err == nil {
		t.out.Write(append(data, '\n'))
	}
}

// manifest reads a results folder's manifest alone.
func manifest(dir string) (*results.Manifest, error) {
	data, err := input.ReadFile(filepath.Join(dir, results.ManifestFile), 64<<20)
	if err != nil {
		return nil, err
	}
	m := &results.Manifest{}
	if err := input.Few(data, results.MaxValues); err != nil {
		return nil, err
	}
	return m, json.Unmarshal(data, m)
}

// machineIn reads what a results folder says of its machine; nothing if it can't be read.
func machineIn(dir string) (m results.Machine) {
	if data, err := input.ReadFile(filepath.Join(dir, results.MachineFile), 1<<20); err == nil && input.Few(data, results.MaxValues) == nil {
		json.Unmarshal(data, &m)
	}
	return m
}

// Whole says whether a run came to the end of its plan. Rows that can't run on that
// machine, and trials that failed, are part of it.
func Whole(m *results.Manifest) bool {
	return !runs.Interrupted(m) || m.Outcome == engine.Nothing && m.Died == ""
}

// A counter counts the trials in a growing folder.
type counter struct {
	dir         string
	at          int64
	done, total int
}

// count returns the trials that are there, and how many there will be; 0 if that isn't
// known yet.
func (c *counter) count() (done, total int) {
	if c.total == 0 {
		if m, err := manifest(c.dir); err == nil {
			for _, x := range m.Cells {
				if x.NotRun == nil {
					c.total += x.Trials + x.Warmup
				}
			}
		}
	}
	f, err := input.Open(filepath.Join(c.dir, results.TrialsFile))
	if err != nil {
		return c.done, c.total
	}
	defer f.Close()
	buf := make([]byte, 1<<20)
	for {
		n, _ := f.ReadAt(buf, c.at)
		n = bytes.LastIndexByte(buf[:n], '\n') + 1 // whole lines
		if n == 0 {
			return c.done, c.total
		}
		c.done += bytes.Count(buf[:n], []byte(`"last":true`))
		c.at += int64(n)
	}
}
