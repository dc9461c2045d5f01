package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"lab/bench/clean"
)

// A watched is a task that isn't done yet.
type watched struct {
	*Host
	array   int       // the job it was seen in last, or submitted as
	gone    time.Time // since when Slurm doesn't know it, or has it as complete
	away    time.Time // since when there is no node for it
	pending string    // why it waits, in Slurm's words
	held    time.Time // since when somebody has to let it go
	size    int64     // of what it says
	said    time.Time // since when it has said no more
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
	const mostTries = 10 // with each one it is asked for another node
	tries := map[*Host]int{}
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
		if len(f.came) > 0 {
			if err := f.keep(); err != nil {
				return err
			}
		}
		if ctx.Err() != nil {
			continue
		}
		again = slices.DeleteFunc(again, func(h *Host) bool {
			tries[h]++
			if tries[h] <= mostTries {
				return false
			}
			f.set(h, Failed, fmt.Errorf("Slurm gave it a node that is measured %d times", tries[h]))
			delete(open, h)
			return true
		})
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
	if j.active() && j.node != "" {
		if h.on == nil {
			h.on = map[string]bool{}
		}
		h.on[j.node] = true
	}
	if !j.held() {
		w.held = time.Time{}
	}
	switch {
	case j.held():
		if w.held.IsZero() {
			w.held = time.Now()
		}
		why := fmt.Errorf("Slurm holds its job (%s); fix: scontrol release, or lab fleet resume", strings.ToLower(cmp.Or(j.reason, j.state)))
		f.set(h, Waiting, why)
		if time.Since(w.held) >= f.Slurm.Patience {
			f.giveUp(ctx, h, w, why)
		}
		return nil
	case j.state == "PENDING" || j.state == "REQUEUED":
		w.gone, w.pending = time.Time{}, j.reason
		f.set(h, Waiting, nil)
		return nil
	case j.active():
		w.gone, w.away = time.Time{}, time.Time{}
		f.set(h, Running, nil)
		if st, err := os.Lstat(f.taskFile(h, "log")); err != nil || st.Size() != w.size || w.said.IsZero() {
			w.said = time.Now()
			if err == nil {
				w.size = st.Size()
			}
		}
		if !f.Wait && time.Since(w.said) > taskSilentFor {
			f.giveUp(ctx, h, w, errHangs)
			return nil
		}
		if e := f.lastEvent(h); e.Scenario != "" {
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

// giveUp ends a task that nobody can wait for.
func (f *Fleet) giveUp(ctx context.Context, h *Host, w *watched, why error) {
	if _, err := ask(ctx, nil, "scancel", fmt.Sprintf("%d_%d", w.array, h.Task)); err == nil {
		f.set(h, Failed, why)
	}
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
			if f.giveUp(ctx, h, w, errors.New(why)); h.State == Failed {
				delete(open, h)
			}
		}
	}
}
