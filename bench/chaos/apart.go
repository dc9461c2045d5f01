package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"lab/bench/cgroup"
	"lab/bench/cgroup/systemd"
	"lab/bench/crew"
	"lab/bench/image"
	"lab/bench/residue"
	"lab/bench/testbed"
)

// A Job is a row that is to be made apart from the machine.
type Job struct {
	Victim, Part string // the first by its name among Others
	Kills        int
	Seed         uint64
	Image        image.Ref
	Cache        string
	UID, GID     int // whom the testbed's files are to belong to

	Row Row // so far; Apart's own
}

// An event is what it tells: a kill, or why there can't be any.
type event struct {
	Killing *Killing
	NotRun  string
	Err     string
}

// Apart has a row made in testbeds: in one until something was left that the
// victim's own commands don't take away, and then in the next. Each ends with all that is
// in it, and what is on the machine then that wasn't is told.
func Apart(ctx context.Context, job Job) (row Row, err error) {
	row = NewRow(job.Victim, job.Part)
	machine := func() residue.Snapshot {
		return residue.Take(residue.Options{Kinds: []residue.Kind{residue.Process, residue.Cgroup, residue.Mount, residue.Link, residue.Address, residue.File}, Cache: job.Cache})
	}
	before := machine()
	for !row.Done(job.Kills) && row.NotRun == "" && err == nil {
		job.Row = row
		had := row.Kills + row.Missed
		var w *crew.Worker
		if w, err = crew.Spawn(crew.Order{Duty: Duty, Job: job}); err != nil {
			return row, err
		}
		stop := context.AfterFunc(ctx, w.Kill)
		for e := range w.Events() {
			var x event
			switch jerr := json.Unmarshal(e, &x); {
			case jerr != nil:
				err = errors.Join(err, jerr)
			case x.Killing != nil:
				row.Add(*x.Killing)
			case x.Err != "":
				err = errors.Join(err, errors.New(x.Err))
			case x.NotRun != "":
				row.NotRun = x.NotRun
			}
		}
		said, werr := w.Wait()
		stop()
		switch {
		case ctx.Err() != nil: // we have ended it
			row.Short, err = true, nil
			if errors.Is(ctx.Err(), context.Canceled) {
				err = ctx.Err()
			}
		case err == nil && werr != nil:
			err = fmt.Errorf("the worker %w%s", werr, crew.Excerpt(said))
		case err == nil && row.NotRun == "" && row.Kills+row.Missed == had:
			err = errors.New("the worker ended without a kill")
		}
		if row.Short {
			break
		}
	}
	if row.NotRun != "" && row.Kills+row.Missed > 0 { // it could before
		row.Failure, row.NotRun = row.NotRun, ""
	}
	// Another lab's things come and go meanwhile: what counts stays.
	for began := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		var now []residue.Item
		for _, d := range machine().Since(before) {
			if d.Change == residue.Made && d.Counts && d.Item.Ours && (row.Remain == nil || slices.Contains(row.Remain, d.Item)) {
				now = append(now, d.Item)
			}
		}
		if row.Remain = now; len(now) == 0 || time.Since(began) > remainWithin {
			return row, err
		}
	}
}

// remainWithin is how long what a testbed was may still be there after its end.
const remainWithin = 5 * time.Second

// Duty is what a worker that does [Work] is called by.
const Duty = "chaos"

// Work is a worker's part of [Apart]: a testbed, and kills in it.
func Work(post *crew.Post) any {
	var j Job
	if err := post.Job(&j); err != nil {
		return event{Err: err.Error()}
	}
	go post.Obey(func(byte) {})
	if err := j.work(post); err != nil {
		return event{Err: err.Error()}
	}
	return event{}
}

func (j *Job) work(post *crew.Post) error {
	all := Others()
	i := slices.IndexFunc(all, func(v Victim) bool { return v.Name == j.Victim })
	if i < 0 {
		return fmt.Errorf("there is no %q", j.Victim)
	}
	tb, err := testbed.Enter(j.Cache, j.UID, j.GID, &cgroup.Options{Controllers: true, Move: true, Scope: systemd.Scope})
	if err != nil {
		return err
	}
	if tb.Cgroups == nil {
		return post.Tell(event{NotRun: "no cgroups can be made here"})
	}
	// The testbed isn't closed: it ends with this process, as it would if that were killed.
	r := &Run{Image: j.Image, Dir: filepath.Join(tb.Dir, "chaos"), Seed: j.Seed, Private: tb}
	if err := os.Mkdir(r.Dir, 0o755); err != nil {
		return err
	}
	s, err := r.Open(context.Background(), all[i], j.Part)
	if err != nil {
		return post.Tell(event{NotRun: err.Error()})
	}
	defer s.Close()
	for n := j.Row.Kills + j.Row.Missed; !j.Row.Done(j.Kills); n++ {
		k, err := s.Kill(context.Background(), n)
		if err != nil {
			return err
		}
		j.Row.Add(k)
		if err := post.Tell(event{Killing: &k}); err != nil || k.Spoiled {
			return err
		}
	}
	return nil
}
