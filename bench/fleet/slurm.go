package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"lab/bench/clean"
)

// Slurm is what of a fleet is Slurm's: its machines are the tasks of an array job, each
// on a node of its own. What they and this program say to each other lies in the fleet's
// folder, which all nodes must see.
type Slurm struct {
	Options  []string      `json:"options,omitempty"` // of sbatch
	Patience time.Duration `json:"patience"`          // for nodes that are drained or lost
	Job      string        `json:"job,omitempty"`     // the newest
	Folder   string        `json:"folder,omitempty"`  // of its nodes, for /var/tmp
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

	taskSilentFor = 30 * time.Minute
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

// notHere are options of sbatch with which it wouldn't return at once, or say a job's
// number alone, or take the nodes that are asked for here.
var notHere = []string{"--wrap", "--test-only", "-h", "--help", "--usage", "-V", "--version", "-v", "--verbose", "-Q", "--quiet", "-W", "--wait", "-H", "--hold",
	"-w", "--nodelist", "-F", "--nodefile", "-M", "--clusters"}

// CheckSlurm is an error where Slurm's commands aren't installed, or an option of
// sbatch isn't one.
func CheckSlurm(options []string) error {
	for i, o := range options {
		if !strings.HasPrefix(o, "-") && (i == 0 || !strings.HasPrefix(options[i-1], "-") || strings.Contains(options[i-1], "=")) {
			return fmt.Errorf("%q is no option of sbatch", o)
		}
		name, _, _ := strings.Cut(o, "=")
		if slices.ContainsFunc(notHere, func(n string) bool {
			if short := n[1] != '-'; short {
				return strings.HasPrefix(name, n) // its value may follow at once: -wn1
			}
			return name == n || len(name) > 3 && strings.HasPrefix(n, name) // sbatch completes what is cut off
		}) {
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
	switch {
	case err == nil && len(all) == 0:
		err = errors.New("sinfo lists no node of that partition")
	case len(all) > maxHosts:
		err = fmt.Errorf("sinfo lists more than %d", maxHosts)
	}
	return len(all), err
}

// ask runs one of Slurm's commands, which has a minute, and returns what it said.
func ask(ctx context.Context, stdin io.Reader, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var out bytes.Buffer
	said := &clean.Tail{Most: mostSaid}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &limited{to: &out, left: 256 << 20}, said
	cmd.Env = environment()
	// Ctrl-C is for this program; the kernel ends it when the thread ends that started it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.WaitDelay = 2 * time.Second
	if err := cmd.Run(); err != nil {
		if last := lastLine(said.String()); last != "" {
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
		if slices.Contains([]string{"PATH", "HOME", "USER", "LOGNAME", folderVariable}, name) || strings.HasPrefix(name, "SLURM_") || strings.HasPrefix(name, "SBATCH_") && name != "SBATCH_WAIT" {
			out = append(out, e)
		}
	}
	return append(out, "LC_ALL=C")
}

// folderVariable names the folder in which the lab's is on a cluster's nodes, if that isn't
// /var/tmp.
const folderVariable = "LAB_FLEET_FOLDER"

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

// held says whether somebody has to let it go: time alone doesn't help.
func (j job) held() bool {
	reason := strings.ToLower(j.reason)
	return slices.Contains([]string{"REQUEUE_HOLD", "SPECIAL_EXIT", "STOPPED", "RESV_DEL_HOLD"}, j.state) ||
		j.state == "PENDING" && (strings.Contains(reason, "held") || reason == "badconstraints" || reason == "dependencyneversatisfied")
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

// accounted is how a task ended, as Slurm's accounting has it; many have none. Its dates
// are of that place's time: it is asked from a day earlier on.
func (f *Fleet) accounted(ctx context.Context, task int) (job, bool) {
	text, err := ask(ctx, nil, "sacct", "--noheader", "--parsable2", "--allocations", "--starttime="+f.Started.AddDate(0, 0, -1).Format("2006-01-02"), "--name="+f.jobName(), "--format=JobID,State,NodeList")
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
		f.forget(h)
		f.remove(h, "log", "out", "doctor", "measured")
	}
	// One that Slurm doesn't know any more would have it refuse all.
	nodes, nerr := f.Slurm.nodes(ctx)
	for _, h := range f.Hosts {
		known := nerr != nil || slices.ContainsFunc(nodes, func(n node) bool { return n.name == h.Name })
		if h.State == Done && h.Name != taskName(h) && known {
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
	f.Slurm.Job, f.Slurm.Folder = id, os.Getenv(folderVariable)
	if !filepath.IsAbs(f.Slurm.Folder) { // seen from a place that nobody here knows
		f.Slurm.Folder = ""
	}
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
