package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/cgroup"
	"lab/bench/cgroup/systemd"
	"lab/bench/chaos"
	"lab/bench/crew"
	"lab/bench/image"
	"lab/bench/owner"
	"lab/bench/residue"
	"lab/bench/testbed"
	"lab/bench/usercache"
	"lab/cmd/cli"
	"lab/reports/msg"
	"lab/reports/page"
	"lab/reports/plot"
)

// The claim that is tried here: however a lab ends, nothing of it stays. Ctrl-C and errors
// can be handled; SIGKILL can't, and may come between any two system calls. A handful of
// chosen points would be those that somebody has thought of already, so they are random.

// A chaosOrder is what is to be killed, and how often.
type chaosOrder struct {
	envs, parts []string
	kills       int
	seed        uint64
	within      time.Duration
	out         string
	json        bool
}

// A chaosReport is what came out.
type chaosReport struct {
	Began    time.Time         `json:"began"`
	Kernel   string            `json:"kernel"`
	Cgroups  string            `json:"cgroups"` // v1, v2, hybrid, none
	Seed     uint64            `json:"seed"`
	Patience time.Duration     `json:"patience_ns"`
	Versions map[string]string `json:"versions"`
	Rows     []chaos.Row       `json:"rows"`
}

// chaosCommand is lab chaos: what is left on the machine of something that was killed
// with SIGKILL, which no program can catch. The lab's own environments must leave
// nothing, as everything of theirs is owned by a process or a descriptor that the
// kernel takes away; others' launchers are there to compare with.
func (a *app) chaosCommand() *cobra.Command {
	var o chaosOrder
	cmd := &cobra.Command{
		Use:  "chaos",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			victims, err := o.victims()
			if err != nil {
				return err
			}
			if err := a.NeedRoot("lab chaos", cli.StatusFailed); err != nil {
				return err
			}
			// 0 is a seed as good as any other: whether it was given has to be asked.
			if !cmd.Flags().Changed("seed") {
				o.seed = rand.Uint64()
			}
			if o.out != "" {
				if _, err := os.Lstat(o.out); err == nil {
					return cli.Usagef("%s exists, and results are never overwritten: name another with --out", o.out)
				}
			}
			r, err := a.chaos(victims, o)
			if len(r.Rows) == 0 {
				return err
			}
			if o.json {
				err = errors.Join(err, a.printJSON(r))
			} else {
				err = errors.Join(err, r.page(false).Terminal(a.Page, page.OptionsFor(a.Stdout.File)))
			}
			if o.out != "" {
				err = errors.Join(err, a.writeNew(o.out, r.files))
			}
			if err == nil && r.harmed() {
				return cli.Exit(cli.StatusFailed, nil)
			}
			return err
		},
	}
	fl := cmd.Flags()
	fl.StringSliceVar(&o.envs, "env", nil, "`NAME,…` environments and other launchers (default: all but virtual machines and engines)")
	fl.StringSliceVar(&o.parts, "kill", nil, "`PART,…` what is killed: client, workload, dockerd, … (default: each part of each, and nobody as the control)")
	fl.IntVarP(&o.kills, "kills", "n", 20, "`N` kills of each part")
	fl.Uint64Var(&o.seed, "seed", 0, "`N` seed of the random points (default: a new one)")
	fl.DurationVar(&o.within, "within", time.Hour, "`DURATION` after which no more are killed, shared out among the rows")
	fl.StringVar(&o.out, "out", "", "`DIR` new folder for chaos.md and chaos.json")
	fl.BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

// byLab begins the names of environments that are other people's launchers: killed is
// the lab here, and by itself the launcher.
const byLab = "lab exec "

// victimName is what --env calls an environment here.
func victimName(a bench.About) string {
	if a.Extra {
		return byLab + a.Name
	}
	return a.Name
}

// victims are those that were asked for; an error says what can't be.
func (o *chaosOrder) victims() ([]chaos.Victim, error) {
	// The victims of our own are this very program, started anew: lab exec ENV.
	lab, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var all []chaos.Victim
	for _, k := range known() {
		v := chaos.Ours(lab, k.Name)
		v.Name, v.Slow = victimName(k), k.Slow || k.Extra // a guest takes seconds each time
		all = append(all, v)
	}
	all = append(all, chaos.Others()...)
	var names, parts []string
	for _, v := range all {
		names, parts = append(names, v.Name), append(parts, v.All()...)
	}
	for _, e := range o.envs {
		if !slices.Contains(names, e) {
			return nil, cli.Usagef("chaos: unknown environment %q; there are: %s", e, strings.Join(names, ", "))
		}
	}
	slices.Sort(parts)
	for _, p := range o.parts {
		if !slices.Contains(parts, p) {
			return nil, cli.Usagef("chaos: unknown part %q; there are: %s", p, strings.Join(slices.Compact(parts), ", "))
		}
	}
	switch {
	case o.kills < 1:
		return nil, cli.Usagef("-n %d: one kill at least", o.kills)
	case o.within <= 0:
		return nil, cli.Usagef("--within %v: some time at least", o.within)
	case len(o.envs) == 0:
		return slices.DeleteFunc(all, func(v chaos.Victim) bool { return v.Slow }), nil
	}
	var out []chaos.Victim
	for _, e := range o.envs {
		out = append(out, all[slices.Index(names, e)])
	}
	return out, nil
}

// A chaosJob is what a worker is to do: one row, or what is still missing of it.
type chaosJob struct {
	Victim, Part, Cache string
	UID, GID            int
	Image               image.Ref
	Seed                uint64
	Kills               int
	Row                 chaos.Row // so far
}

// A chaosEvent is what it tells: a kill, or why there can't be any.
type chaosEvent struct {
	Killing *chaos.Killing
	NotRun  string
	Err     string
}

// chaos kills each part of each victim, until it is told to stop.
func (a *app) chaos(victims []chaos.Victim, o chaosOrder) (r chaosReport, err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	r = chaosReport{Began: time.Now().UTC(), Seed: o.seed, Patience: chaos.Patience, Versions: map[string]string{}}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		r.Kernel = unix.ByteSliceToString(u.Release[:])
	}
	if l, err := cgroup.Read(); err == nil {
		r.Cgroups = l.Kind()
	}
	job := chaosJob{Seed: o.seed, Kills: o.kills}
	job.UID, job.GID = owner.IDs()
	if job.Cache, err = usercache.Make(); err != nil {
		return r, err
	}
	if job.Image, err = openImage("", job.Cache); err != nil {
		return r, err
	}
	type pair struct {
		victim chaos.Victim
		part   string
	}
	var pairs []pair
	for _, v := range victims {
		for _, part := range v.All() {
			if len(o.parts) == 0 || slices.Contains(o.parts, part) {
				pairs = append(pairs, pair{v, part})
			}
		}
	}
	end := time.Now().Add(o.within)
	for n, p := range pairs {
		if version := p.victim.Version(); version != "" {
			r.Versions[p.victim.Name] = version
		}
		kills := o.kills
		if p.part == chaos.Nobody { // nothing random about it
			kills = (o.kills + 9) / 10
		}
		a.note(say("%s, %s killed: %d times (%d of %d rows)", p.victim.Name, p.part, kills, n+1, len(pairs)))
		ctx, cancel := context.WithTimeout(ctx, time.Until(end)/time.Duration(len(pairs)-n))
		var row chaos.Row
		if p.victim.Own {
			row, err = (&chaos.Run{Image: job.Image, Seed: o.seed}).Of(ctx, p.victim, p.part, kills)
		} else {
			job.Victim, job.Part, job.Kills, job.Row = p.victim.Name, p.part, kills, chaos.NewRow(p.victim.Name, p.part)
			row, err = chaosApart(ctx, job)
		}
		cancel()
		if row.Kills+row.Missed > 0 || row.NotRun != "" {
			r.Rows = append(r.Rows, row)
		}
		if err != nil {
			return r, fmt.Errorf("chaos: %s: %w", p.victim.Name, err)
		}
	}
	return r, nil
}

// chaosApart has a row made in testbeds: in one until something was left that the
// victim's own commands don't take away, and then in the next. Each ends with all that is
// in it, and what is on the machine then that wasn't is told.
func chaosApart(ctx context.Context, job chaosJob) (row chaos.Row, err error) {
	row = job.Row
	machine := func() residue.Snapshot {
		return residue.Take(residue.Options{Kinds: []residue.Kind{residue.Process, residue.Cgroup, residue.Mount, residue.Link, residue.Address, residue.File}, Cache: job.Cache})
	}
	before := machine()
	for !row.Done(job.Kills) && row.NotRun == "" && err == nil {
		job.Row = row
		had := row.Kills + row.Missed
		var w *crew.Worker
		if w, err = crew.Spawn(crew.Order{Duty: chaosDuty, Job: job}); err != nil {
			return row, err
		}
		stop := context.AfterFunc(ctx, w.Kill)
		for e := range w.Events() {
			var x chaosEvent
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

// chaosDuty is the worker's.
const chaosDuty = "chaos"

// chaosWork is the worker's part: a testbed, and kills in it.
func chaosWork(post *crew.Post) any {
	var j chaosJob
	if err := post.Job(&j); err != nil {
		return chaosEvent{Err: err.Error()}
	}
	go post.Obey(func(byte) {})
	if err := j.work(post); err != nil {
		return chaosEvent{Err: err.Error()}
	}
	return chaosEvent{}
}

func (j *chaosJob) work(post *crew.Post) error {
	all := chaos.Others()
	i := slices.IndexFunc(all, func(v chaos.Victim) bool { return v.Name == j.Victim })
	if i < 0 {
		return fmt.Errorf("there is no %q", j.Victim)
	}
	tb, err := testbed.Enter(j.Cache, j.UID, j.GID, &cgroup.Options{Controllers: true, Move: true, Scope: systemd.Scope})
	if err != nil {
		return err
	}
	if tb.Cgroups == nil {
		return post.Tell(chaosEvent{NotRun: "no cgroups can be made here"})
	}
	// The testbed isn't closed: it ends with this process, as it would if that were killed.
	r := &chaos.Run{Image: j.Image, Dir: filepath.Join(tb.Dir, "chaos"), Seed: j.Seed, Private: tb}
	if err := os.Mkdir(r.Dir, 0o755); err != nil {
		return err
	}
	s, err := r.Open(context.Background(), all[i], j.Part)
	if err != nil {
		return post.Tell(chaosEvent{NotRun: err.Error()})
	}
	defer s.Close()
	for n := j.Row.Kills + j.Row.Missed; !j.Row.Done(j.Kills); n++ {
		k, err := s.Kill(context.Background(), n)
		if err != nil {
			return err
		}
		j.Row.Add(k)
		if err := post.Tell(chaosEvent{Killing: &k}); err != nil || k.Spoiled {
			return err
		}
	}
	return nil
}

// harmed says whether the lab left something: an environment of its own, or what it
// promised to remove.
func (r *chaosReport) harmed() bool {
	own := map[string]bool{}
	for _, k := range known() {
		own[victimName(k)] = true
	}
	return slices.ContainsFunc(r.Rows, func(r chaos.Row) bool { return own[r.Victim] && r.Clean < r.Kills || len(r.Remain) > 0 })
}

// files are the report as files.
func (r *chaosReport) files() ([]plot.File, error) {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, err
	}
	return []plot.File{{Name: "chaos.json", Data: append(b, '\n')}, {Name: "chaos.md", Data: r.page(true).Markdown(msg.Reader())}}, nil
}

// chaosKinds are the heads of the table's columns.
func chaosKinds(k residue.Kind) string {
	return map[residue.Kind]string{residue.Process: say("processes"), residue.Cgroup: say("cgroups"), residue.Mount: say("mounts"),
		residue.Link: say("devices"), residue.Namespace: say("networks"), residue.File: say("files")}[k]
}

// page has a line for each part of each victim: after how many kills something of each
// kind was left. whole adds what else is known.
func (r *chaosReport) page(whole bool) *page.Page {
	p := &page.Page{}
	if whole {
		p.Title(say("What is left when it is killed"))
		p.Text(say("Made on %s, kernel %s, cgroups %s, seed %d.", r.Began.Format("2006-01-02"), r.Kernel, r.Cgroups, r.Seed))
	}
	// A column for each kind of thing that anybody left; who left nothing has zeros in
	// all.
	kinds := chaos.Kinds(r.Rows)
	t := page.Table{Align: "llrr" + strings.Repeat("r", len(kinds)+1), Head: []page.Text{say("environment"), say("killed"), say("kills"), say("clean")}}
	for _, k := range kinds {
		t.Head = append(t.Head, chaosKinds(k))
	}
	t.Head = append(t.Head, say("next failed"))
	var lines []page.Text
	for _, row := range r.Rows {
		if row.NotRun != "" {
			lines = append(lines, say("%s, %s: not run: %s", row.Victim, row.Part, row.NotRun))
			continue
		}
		cells := []page.Text{row.Victim, row.Part, row.Kills, row.Clean}
		for _, k := range kinds {
			cell := fmt.Sprint(row.Left[k])
			if row.Left[k]+row.Next[k] > 0 {
				cell += fmt.Sprintf("/%d", row.Next[k])
			}
			cells = append(cells, cell)
		}
		t.Rows = append(t.Rows, append(cells, row.Failed))
		lines = append(lines, r.lines(row, whole)...)
	}
	if len(t.Rows) > 0 {
		short := t
		short.Head = slices.Clone(t.Head)
		for i, k := range kinds {
			short.Head[4+i] = map[residue.Kind]string{residue.Process: say("proc"), residue.Cgroup: say("cgr"), residue.Mount: say("mnt"),
				residue.Link: say("dev"), residue.Namespace: say("net"), residue.File: say("file")}[k]
		}
		p.Table(t, short.Without(len(short.Head)-1)) // a failure has a line below
	}
	p.Text(say("clean: nothing was left %v after the kill, or after the workload's own end; a/b: something of this kind was left after a kills, and after b of them still after the next start. Seed %d.", r.Patience, r.Seed))
	p.List(lines...)
	if whole {
		var versions []page.Text
		for _, row := range r.Rows {
			if v, ok := r.Versions[row.Victim]; ok && row.Part == chaos.Client {
				versions = append(versions, row.Victim+": "+v)
			}
		}
		p.List(versions...)
	}
	return p
}

// mostExamples is how many things of a row are named in a results folder.
const mostExamples = 8

// lines are what else is to be said of a row.
func (r *chaosReport) lines(row chaos.Row, whole bool) (out []page.Text) {
	name := func(items []residue.Item, most int) string {
		var names []string
		for _, i := range items[:min(most, len(items))] {
			names = append(names, string(i.Kind)+" "+i.Name)
		}
		return strings.Join(names, "; ")
	}
	most := 2
	if whole {
		most = mostExamples
	}
	if len(row.Examples) > 0 {
		out = append(out, say("%s, %s killed: left, for instance: %s", row.Victim, row.Part, name(row.Examples, most)))
	}
	if len(row.Later) > 0 && whole {
		out = append(out, say("%s, %s killed: there after the next start, for instance: %s", row.Victim, row.Part, name(row.Later, most)))
	}
	if row.Failure != "" {
		out = append(out, say("%s, %s killed: the next start failed: %s", row.Victim, row.Part, row.Failure))
	}
	if row.Missed > 0 && whole {
		out = append(out, say("%s: %s wasn't there any more %d times, which aren't counted", row.Victim, row.Part, row.Missed))
	}
	if row.Short {
		out = append(out, say("%s, %s: the time was over; fix: a longer --within", row.Victim, row.Part))
	}
	if len(row.Remain) > 0 {
		out = append(out, say("%s, %s killed: the lab couldn't remove: %s", row.Victim, row.Part, name(row.Remain, mostExamples)))
	}
	return out
}
