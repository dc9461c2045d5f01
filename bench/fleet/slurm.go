package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"lab/bench/clean"
	"lab/bench/input"
)

// Slurm is what of a fleet is Slurm's: its machines are the tasks of an array job, each
// on a node of its own. What they and this program say to each other lies in the fleet's
// folder, which all nodes must see.
type Slurm struct {
	Options  []string      `json:"options,omitempty"` // of sbatch
	Patience time.Duration `json:"patience"`          // for nodes that are drained or lost
	Job      string        `json:"job,omitempty"`     // the newest
}

// slurmDir is where tasks write, in the fleet's folder.
const slurmDir = "slurm"

// How often Slurm is asked, and how long it, and a file on its way through a network
// file system, may take. They are variables for the tests alone.
var (
	askEvery    = 5 * time.Second
	arriveAfter = time.Minute
	silentFor   = 10 * time.Minute
	endWithin   = 90 * time.Second
)

// SetTasks makes it a fleet of n machines that Slurm chooses. Each has its node's name
// once it was measured.
func (f *Fleet) SetTasks(n int) {
	f.Hosts = nil
	for i := range n {
		h := &Host{Name: "task-" + strconv.Itoa(i), State: Waiting, Task: i}
		h.Folder = folderOf(h.Name)
		f.Hosts = append(f.Hosts, h)
	}
}

// CheckSlurm is an error where Slurm's commands aren't installed, or an option of
// sbatch isn't one.
func CheckSlurm(options []string) error {
	for i, o := range options {
		if !strings.HasPrefix(o, "-") && (i == 0 || !strings.HasPrefix(options[i-1], "-") || strings.Contains(options[i-1], "=")) {
			return fmt.Errorf("%q is no option of sbatch", o)
		}
		switch name, _, _ := strings.Cut(o, "="); name {
		case "--wrap", "--test-only", "-h", "--help", "--usage", "-V", "--version", "-v", "--verbose", "-Q", "--quiet", "-W", "--wait", "-H", "--hold", "-w", "--nodelist", "-F", "--nodefile", "-M", "--clusters":
			return fmt.Errorf("%s can't be asked of sbatch here", name)
		}
	}
	for _, name := range []string{"sbatch", "squeue", "sinfo", "scancel"} {
		if _, err := exec.LookPath(name); err != nil {
			return fmt.Errorf("%s isn't installed; fix: run this where jobs are submitted, or apt-get install slurm-client", name)
		}
	}
	return nil
}

// A node is one of Slurm's, with its state in Slurm's words.
type node struct{ name, state, reason string }

// away says whether no job can start there, whoever waits.
func (n node) away() bool {
	return strings.HasSuffix(n.state, "*") || slices.ContainsFunc([]string{"down", "drain", "fail", "maint", "unknown", "inval"}, func(s string) bool { return strings.HasPrefix(n.state, s) })
}

// nodes are those of the partition that the options name, or of the default one.
func (s *Slurm) nodes(ctx context.Context) (out []node, err error) {
	partition := os.Getenv("SBATCH_PARTITION")
	for i, o := range s.Options {
		if v, ok := strings.CutPrefix(o, "--partition="); ok {
			partition = v
		} else if (o == "-p" || o == "--partition") && i+1 < len(s.Options) {
			partition = s.Options[i+1]
		} else if v, ok := strings.CutPrefix(o, "-p"); ok && v != "" {
			partition = v
		}
	}
	args := []string{"--noheader", "--Node", "--format=%N|%T|%P|%E"}
	if partition != "" {
		args = append(args, "--partition="+partition)
	}
	text, err := ask(ctx, nil, "sinfo", args...)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for line := range strings.Lines(text) {
		p := strings.SplitN(strings.TrimSpace(line), "|", 4)
		if len(p) < 4 || seen[p[0]] || partition == "" && !strings.HasSuffix(p[2], "*") {
			continue
		}
		seen[p[0]] = true
		out = append(out, node{p[0], strings.ToLower(p[1]), p[3]})
	}
	return out, nil
}

// CountNodes is how many nodes the partition has that the options name.
func (s *Slurm) CountNodes(ctx context.Context) (int, error) {
	all, err := s.nodes(ctx)
	if err == nil && len(all) == 0 {
		err = errors.New("sinfo lists no node of that partition")
	}
	return len(all), err
}

// ask runs one of Slurm's commands, which has a minute, and returns what it said.
func ask(ctx context.Context, stdin io.Reader, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var out bytes.Buffer
	said := &tail{}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &limited{&out, 256 << 20}, said
	cmd.Env = environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for this program
	cmd.WaitDelay = 2 * time.Second
	if err := cmd.Run(); err != nil {
		if last := said.last(); last != "" {
			return "", fmt.Errorf("%s: %s", name, strings.TrimPrefix(last, name+": "))
		}
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return out.String(), nil
}

// environment is what Slurm's commands, and the jobs, have of this program's. Slurm
// keeps a job's, and secrets of the user's are none of its business.
func environment() (out []string) {
	for _, e := range os.Environ() {
		name, _, _ := strings.Cut(e, "=")
		if slices.Contains([]string{"PATH", "HOME", "USER", "LOGNAME", "LAB_FLEET_FOLDER"}, name) || strings.HasPrefix(name, "SLURM_") || strings.HasPrefix(name, "SBATCH_") {
			out = append(out, e)
		}
	}
	return append(out, "LC_ALL=C")
}

// jobName is what the fleet's jobs are called: by it they are found again.
func (f *Fleet) jobName() string { return "lab-fleet-" + f.ID }

// A job is where a task is, as Slurm has it.
type job struct {
	array               int
	state, reason, node string
}

// active says whether it waits, runs, or will run again.
func (j job) active() bool {
	return slices.Contains([]string{"PENDING", "RUNNING", "CONFIGURING", "COMPLETING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESIZING",
		"SIGNALING", "STAGE_OUT", "STOPPED", "SUSPENDED", "SPECIAL_EXIT", "RESV_DEL_HOLD"}, j.state)
}

func (j job) running() bool { return j.active() && j.state != "PENDING" }

// queue is where all tasks are of which Slurm's controller knows. It forgets those that
// ended some minutes ago.
func (f *Fleet) queue(ctx context.Context) (map[int]job, error) {
	text, err := ask(ctx, nil, "squeue", "--noheader", "--array", "--states=all", "--name="+f.jobName(), "--format=%F|%K|%T|%r|%N")
	if err != nil {
		return nil, err
	}
	out := map[int]job{}
	for line := range strings.Lines(text) {
		p := strings.Split(strings.TrimSpace(line), "|")
		if len(p) != 5 {
			continue
		}
		array, err := strconv.Atoi(p[0])
		task, err2 := strconv.Atoi(p[1])
		if err != nil || err2 != nil || out[task].array > array {
			continue
		}
		out[task] = job{array, p[2], clean.Line(p[3]), clean.Line(p[4])}
	}
	return out, nil
}

// accounted is how a task ended, as Slurm's accounting has it; many have none.
func (f *Fleet) accounted(ctx context.Context, task int) (job, bool) {
	text, err := ask(ctx, nil, "sacct", "--noheader", "--parsable2", "--allocations", "--starttime="+f.Started.Format("2006-01-02"), "--name="+f.jobName(), "--format=JobID,State,NodeList")
	if err != nil {
		return job{}, false
	}
	var last job
	for line := range strings.Lines(text) {
		p := strings.Split(strings.TrimSpace(line), "|")
		if len(p) != 3 {
			continue
		}
		a, t, _ := strings.Cut(p[0], "_")
		array, _ := strconv.Atoi(a)
		if n, err := strconv.Atoi(t); err == nil && n == task && array >= last.array {
			state, _, _ := strings.Cut(p[1], " ") // CANCELLED by 1000
			last = job{array: array, state: state, node: clean.Line(p[2])}
		}
	}
	return last, last.state != ""
}

// submit makes an array job of these hosts' tasks. Nodes that are measured get none.
func (f *Fleet) submit(ctx context.Context, hosts []*Host, parallel int) error {
	dir, err := filepath.Abs(f.Dir)
	if err != nil {
		return err
	}
	var tasks []int
	var measured []string
	for _, h := range hosts {
		tasks = append(tasks, h.Task)
		for _, kind := range []string{"log", "out", "doctor", "measured"} {
			os.Remove(f.taskFile(h, kind))
		}
	}
	for _, h := range f.Hosts {
		if h.State == Done && h.Name != taskName(h) {
			measured = append(measured, h.Name)
		}
	}
	args := append([]string{"--mem=0"}, f.Slurm.Options...)
	args = append(args, "--parsable", "--job-name="+f.jobName(), "--array="+ranges(tasks)+"%"+strconv.Itoa(parallel),
		"--exclusive", "--nodes=1", "--ntasks=1", "--requeue", "--open-mode=truncate", "--chdir=/", "--input=/dev/null",
		"--output="+filepath.Join(strings.ReplaceAll(dir, "%", "%%"), slurmDir, "%a.out"))
	if len(measured) > 0 {
		args = append(args, "--exclude="+strings.Join(measured, ","))
	}
	words := []string{"task", dir, f.bundleID(), strings.TrimPrefix(f.Bundle.Digest, "sha256:"), strconv.FormatInt(f.Bundle.Size, 10), f.ID, f.Machine}
	if f.Wait {
		words = append(words, "--wait")
	}
	said, err := ask(ctx, strings.NewReader("#!/bin/sh\n"+scriptOf(words)+"\n"), "sbatch", args...)
	if err != nil {
		return err
	}
	id, _, _ := strings.Cut(strings.TrimSpace(said), ";")
	if _, err := strconv.Atoi(id); err != nil {
		return fmt.Errorf("sbatch: it said %.100q, and no job's number", clean.Line(said))
	}
	f.Slurm.Job = id
	return f.Save()
}

// ranges are rising numbers as Slurm has them: 0-3,7.
func ranges(n []int) string {
	var out []string
	for i, from := 0, 0; i < len(n); i++ {
		if i+1 < len(n) && n[i+1] == n[i]+1 {
			continue
		}
		if text := strconv.Itoa(n[from]); from == i {
			out = append(out, text)
		} else {
			out = append(out, text+"-"+strconv.Itoa(n[i]))
		}
		from = i + 1
	}
	return strings.Join(out, ",")
}

func taskName(h *Host) string { return "task-" + strconv.Itoa(h.Task) }

// taskFile is what a task wrote: tar are its results, done says so, log is how far it
// is, out what went wrong, doctor what lab doctor found, and measured that its node had
// been measured by another task.
func (f *Fleet) taskFile(h *Host, kind string) string {
	return filepath.Join(f.Dir, slurmDir, strconv.Itoa(h.Task)+"."+kind)
}

// A watched is a task that isn't done yet.
type watched struct {
	*Host
	array   int       // the job it was seen in last, or submitted as
	gone    time.Time // since when Slurm doesn't know it, or has it as complete
	away    time.Time // since when there is no node for it
	pending string    // why it waits, in Slurm's words
}

// slurm measures the hosts that aren't measured yet, as tasks of a job: those of an
// earlier one that still wait or run are followed, the others submitted.
func (f *Fleet) slurm(ctx context.Context, todo []*Host, parallel int) error {
	if err := os.MkdirAll(filepath.Join(f.Dir, slurmDir), 0o755); err != nil {
		return err
	}
	jobs, err := f.queue(ctx)
	if err != nil {
		return err
	}
	open := map[*Host]*watched{}
	var lost []*Host
	for _, h := range todo {
		if f.arrived(h) {
			continue
		}
		open[h] = &watched{Host: h, array: jobs[h.Task].array}
		if !jobs[h.Task].active() {
			lost = append(lost, h)
		}
	}
	submit := func(hosts []*Host) error {
		if len(hosts) == 0 {
			return nil
		}
		err := f.submit(ctx, hosts, parallel)
		for _, h := range hosts {
			if err != nil {
				f.set(h, Failed, err)
				delete(open, h)
				continue
			}
			array, _ := strconv.Atoi(f.Slurm.Job)
			open[h] = &watched{Host: h, array: array}
		}
		return err
	}
	if err := submit(lost); err != nil && len(open) == 0 {
		return err
	}
	heard := time.Now()
	stopped := ctx.Done()
	var deadline <-chan time.Time
	still := context.WithoutCancel(ctx)
	for len(open) > 0 {
		select {
		case <-time.After(askEvery):
		case <-stopped:
			stopped, deadline = nil, time.After(endWithin)
			// Each is told to end; the lab there finishes its trial.
			if _, err := ask(still, nil, "scancel", "--name="+f.jobName()); err != nil {
				return err
			}
		case <-deadline:
			return context.Cause(ctx)
		}
		jobs, err := f.queue(still)
		switch {
		case err == nil:
			heard = time.Now()
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case time.Since(heard) < silentFor:
			continue
		default:
			for h := range open {
				f.set(h, Failed, fmt.Errorf("Slurm doesn't answer (%w); its job may go on", err))
			}
			return nil
		}
		var again []*Host
		running := false
		for h, w := range open {
			again = append(again, f.follow(still, h, w, jobs[h.Task])...)
			if h.State == Done || h.State == Failed {
				delete(open, h)
			}
			running = running || h.State == Running
		}
		if ctx.Err() != nil {
			continue
		}
		slices.SortFunc(again, func(a, b *Host) int { return a.Task - b.Task })
		submit(again)
		if !running && len(again) == 0 {
			f.impatient(ctx, open)
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	f.settle(ctx)
	return nil
}

// settle waits for tasks whose results are there, and which still tidy up their node;
// one that Slurm would start once more is cancelled.
func (f *Fleet) settle(ctx context.Context) {
	for begin := time.Now(); time.Since(begin) < endWithin && ctx.Err() == nil; {
		jobs, err := f.queue(ctx)
		if err != nil {
			return
		}
		left := false
		for task, j := range jobs {
			if !j.active() || !f.measured(task) {
				continue
			}
			left = true
			if !j.running() {
				ask(ctx, nil, "scancel", fmt.Sprintf("%d_%d", j.array, task))
			}
		}
		if !left {
			return
		}
		select {
		case <-time.After(askEvery):
		case <-ctx.Done():
		}
	}
}

func (f *Fleet) measured(task int) bool {
	return slices.ContainsFunc(f.Hosts, func(h *Host) bool { return h.Task == task && h.State == Done })
}

// arrived takes a task's results, if they are there. What can't be taken is measured
// anew by the next start.
func (f *Fleet) arrived(h *Host) bool {
	file, err := input.Open(f.taskFile(h, "tar"))
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	f.set(h, Fetching, nil)
	var missing []string
	if err == nil {
		missing, err = f.take(h, file)
		file.Close()
	}
	if text, rerr := input.ReadFile(f.taskFile(h, "doctor"), 4<<20); rerr == nil {
		h.Notes = nil
		f.doctor(h, string(text))
	}
	if err == nil && len(missing) > 0 {
		err = fmt.Errorf("no results of %s came back", strings.Join(missing, ", "))
	}
	os.Remove(f.taskFile(h, "tar"))
	if err != nil {
		if data, rerr := input.ReadFile(f.taskFile(h, "done"), 1<<10); rerr == nil && hostName.Match(bytes.TrimSpace(data)) {
			os.Remove(filepath.Join(f.Dir, slurmDir, "measured-"+string(bytes.TrimSpace(data))))
		}
		os.Remove(f.taskFile(h, "done"))
		f.set(h, Failed, err)
		return true
	}
	f.set(h, Done, nil)
	return true
}

// follow looks how far a task is. It returns the host again if that has to be submitted
// once more: its node was another task's.
func (f *Fleet) follow(ctx context.Context, h *Host, w *watched, j job) []*Host {
	if f.arrived(h) {
		return nil
	}
	if j.array < w.array { // an earlier job's, or none's
		j = job{}
	}
	w.pending = ""
	switch {
	case j.state == "PENDING" || j.state == "REQUEUED":
		w.gone, w.pending = time.Time{}, j.reason
		f.set(h, Waiting, nil)
		return nil
	case j.active():
		w.gone, w.away = time.Time{}, time.Time{}
		f.set(h, Running, nil)
		if e := f.said(h); e.Scenario != "" {
			e.Scenario = clean.Line(e.Scenario)
			f.mu.Lock()
			h.event = e
			f.mu.Unlock()
		}
		return nil
	}
	if _, err := os.Stat(f.taskFile(h, "measured")); err == nil {
		return []*Host{h}
	}
	if j.state == "" || j.state == "COMPLETED" {
		if w.gone.IsZero() {
			w.gone = time.Now()
		}
		if time.Since(w.gone) < arriveAfter { // its files may be on their way
			return nil
		}
		if j.state == "" {
			j, _ = f.accounted(ctx, h.Task)
		}
	}
	f.set(h, Failed, errors.New(f.ended(h, j)))
	return nil
}

// said is the last that a task said.
func (f *Fleet) said(h *Host) (e Event) {
	for _, line := range slices.Backward(strings.Split(lastOf(f.taskFile(h, "log")), "\n")) {
		if json.Unmarshal([]byte(line), &e) == nil && (e.Scenario != "" || e.End) {
			return e
		}
		e = Event{}
	}
	return e
}

// lastOf is the end of a text file, of a few KiB.
func lastOf(file string) string {
	in, err := input.Open(file)
	if err != nil {
		return ""
	}
	defer in.Close()
	const enough = 8 << 10
	if st, err := in.Stat(); err == nil && st.Size() > enough {
		in.Seek(-enough, io.SeekEnd)
	}
	data, _ := io.ReadAll(io.LimitReader(in, enough))
	return strings.TrimSpace(string(data))
}

// ended is why a task that ended has no results.
func (f *Fleet) ended(h *Host, j job) string {
	on := ""
	if j.node != "" {
		on = " (" + j.node + ")"
	}
	switch j.state {
	case "":
		return "Slurm doesn't know its job any more, and no results came"
	case "CANCELLED":
		return "its job was cancelled" + on
	case "TIMEOUT", "DEADLINE":
		return "Slurm's time limit came in the middle" + on
	case "NODE_FAIL", "BOOT_FAIL":
		return "its node failed" + on
	case "PREEMPTED":
		return "its job was preempted" + on
	case "OUT_OF_MEMORY":
		return "its job ran out of memory" + on
	}
	if e := f.said(h); e.End && e.Err != "" {
		return strings.TrimPrefix(clean.Line(e.Err), "lab: ") + on
	}
	if text := lastOf(f.taskFile(h, "out")); text != "" {
		lines := strings.Split(text, "\n")
		return fault(clean.Line(lines[len(lines)-1])) + on
	}
	if _, err := os.Stat(f.taskFile(h, "out")); err != nil {
		return "its node wrote nothing into the fleet's folder; fix: --out in a folder that all nodes see" + on
	}
	return "its task ended early" + on
}

// impatient gives tasks up that wait for nodes which are drained or lost, when Patience
// is over: nothing else of the fleet runs.
func (f *Fleet) impatient(ctx context.Context, open map[*Host]*watched) {
	all, err := f.Slurm.nodes(ctx)
	if err != nil {
		return
	}
	measured := map[string]bool{}
	for _, s := range f.Statuses() {
		measured[s.Name] = measured[s.Name] || s.State == Done
	}
	away := map[string]string{}
	for _, n := range all {
		switch {
		case measured[n.name]:
		case !n.away():
			for _, w := range open {
				w.away = time.Time{}
			}
			return
		default:
			text := n.name + " is " + strings.TrimRight(n.state, "*$~#!%@^-")
			if n.reason != "" && n.reason != "none" {
				text += " (" + n.reason + ")"
			}
			away[n.name] = text
		}
	}
	why := "Slurm has no node for it that isn't measured"
	if len(away) > 0 {
		names := slices.Sorted(maps.Keys(away))
		if len(names) > 5 {
			names = append(names[:5], "…")
			away["…"] = "…"
		}
		var texts []string
		for _, n := range names {
			texts = append(texts, away[n])
		}
		why = "Slurm has no node for it: " + strings.Join(texts, ", ")
	}
	for h, w := range open {
		switch {
		case w.pending == "" || strings.HasPrefix(w.pending, "BeginTime"):
		case w.away.IsZero():
			w.away = time.Now()
		case time.Since(w.away) >= f.Slurm.Patience:
			if _, err := ask(ctx, nil, "scancel", fmt.Sprintf("%d_%d", w.array, h.Task)); err == nil {
				f.set(h, Failed, errors.New(why))
				delete(open, h)
			}
		}
	}
}

// called names a host after the node that its results are from, which is in a file
// beside them.
func (f *Fleet) called(h *Host, came string) {
	data, err := input.ReadFile(filepath.Join(came, "node"), 1<<10)
	name := strings.TrimSpace(string(data))
	if err != nil || !hostName.MatchString(name) || folderOf(name) != name || slices.ContainsFunc(f.Hosts, func(o *Host) bool { return o != h && o.Folder == name }) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	h.Name, h.Folder = name, name
}
