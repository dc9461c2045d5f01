package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/cgroup"
	"lab/bench/chaos"
	"lab/bench/owner"
	"lab/bench/usercache"
	"lab/cmd/cli"
	"lab/reports/page"
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
	job := chaos.Job{Seed: o.seed}
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
			job.Victim, job.Part, job.Kills = p.victim.Name, p.part, kills
			row, err = chaos.Apart(ctx, job)
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

// harmed says whether the lab left something: an environment of its own, or what it
// promised to remove.
func (r *chaosReport) harmed() bool {
	own := map[string]bool{}
	for _, k := range known() {
		own[victimName(k)] = true
	}
	return slices.ContainsFunc(r.Rows, func(r chaos.Row) bool { return own[r.Victim] && r.Clean < r.Kills || len(r.Remain) > 0 })
}
