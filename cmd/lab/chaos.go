package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"lab/bench"
	"lab/bench/chaos"
	"lab/bench/usercache"
	"lab/cmd/cli"
)

// The claim that is tried here: however a lab ends, nothing of it stays. Ctrl-C and errors
// can be handled; SIGKILL can't, and may come between any two system calls. A handful of
// chosen points would be those that somebody has thought of already, so they are random.

// chaosCommand is lab chaos: what is left on the machine of something that was killed
// with SIGKILL, which no program can catch. The lab's own environments must leave
// nothing, as everything of theirs is owned by a process or a descriptor that the
// kernel takes away; others' launchers are there to compare with.
func (a *app) chaosCommand() *cobra.Command {
	var envs []string
	var kills int
	var seed uint64
	var asJSON bool
	names := func() (own, all []string) {
		for _, k := range known() {
			own = append(own, victimName(k))
		}
		for _, v := range chaos.Others() {
			all = append(all, v.Name)
		}
		return own, append(slices.Clone(own), all...)
	}
	cmd := &cobra.Command{
		Use:  "chaos",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			own, all := names()
			for _, e := range envs {
				if !slices.Contains(all, e) {
					return cli.Usagef("chaos: unknown environment %q; there are: %s", e, strings.Join(all, ", "))
				}
			}
			if kills < 1 {
				return cli.Usagef("-n %d: one kill at least", kills)
			}
			if err := a.NeedRoot("lab chaos", cli.StatusFailed); err != nil {
				return err
			}
			// The victims of our own are this very program, started anew: lab exec ENV.
			lab, err := os.Executable()
			if err != nil {
				return err
			}
			if len(envs) == 0 { // a guest takes seconds each time, and others needn't be installed
				envs = slices.DeleteFunc(slices.Clone(all), func(e string) bool {
					return slices.ContainsFunc(known(), func(k bench.About) bool { return victimName(k) == e && (k.Slow || k.Extra) })
				})
			}
			var victims []chaos.Victim
			for _, e := range envs {
				if slices.Contains(own, e) {
					v := chaos.Ours(lab, strings.TrimPrefix(e, byLab))
					v.Name = e
					victims = append(victims, v)
				} else {
					all := chaos.Others()
					victims = append(victims, all[slices.IndexFunc(all, func(v chaos.Victim) bool { return v.Name == e })])
				}
			}
			// 0 is a seed as good as any other: whether it was given has to be asked.
			if !cmd.Flags().Changed("seed") {
				seed = rand.Uint64()
			}
			rows, err := a.chaos(victims, kills, seed)
			if err != nil {
				return err
			}
			if asJSON {
				err = a.printJSON(struct {
					Seed uint64      `json:"seed"`
					Rows []chaos.Row `json:"rows"`
				}{seed, rows})
			} else {
				err = printChaos(a.Page, rows, seed)
			}
			if err == nil && slices.ContainsFunc(rows, func(r chaos.Row) bool { return slices.Contains(own, r.Victim) && r.Clean < r.Kills }) {
				return cli.Exit(cli.StatusFailed, nil)
			}
			return err
		},
	}
	fl := cmd.Flags()
	fl.StringSliceVar(&envs, "env", nil, "`NAME,…` environments and other launchers (default: all but virtual machines)")
	fl.IntVarP(&kills, "kills", "n", 20, "`N` kills of each")
	fl.Uint64Var(&seed, "seed", 0, "`N` seed of the random points (default: a new one)")
	fl.BoolVar(&asJSON, "json", false, "print JSON")
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

// chaos kills each victim, until it is told to stop.
func (a *app) chaos(victims []chaos.Victim, kills int, seed uint64) (rows []chaos.Row, err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	cache, err := usercache.Make()
	if err != nil {
		return nil, err
	}
	img, err := openImage("", cache)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "lab-chaos-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	// The points at which they are killed come of the seed: a leak that was found can be
	// looked for again.
	r := chaos.Run{Image: img.Dir, Dir: dir, Kills: kills, Rand: rand.New(rand.NewPCG(seed, 0))}
	for _, v := range victims {
		row, err := r.Of(ctx, v)
		if err != nil {
			return rows, fmt.Errorf("chaos: %s: %w", v.Name, err)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// printChaos writes a line for each victim: after how many kills something of each
// kind was left.
func printChaos(w io.Writer, rows []chaos.Row, seed uint64) error {
	// A column for each kind of thing that anybody left; who left nothing has zeros in
	// all.
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	kinds := chaos.Kinds(rows)
	fmt.Fprint(t, "killed\tkills\tclean\tafter (ms)")
	for _, k := range kinds {
		fmt.Fprintf(t, "\t%s", k)
	}
	fmt.Fprintln(t)
	for _, r := range rows {
		if r.NotRun != "" {
			fmt.Fprintf(t, "%s\tnot run: %s\n", r.Victim, r.NotRun)
			continue
		}
		gone := "-"
		if r.Clean > 0 {
			gone = fmt.Sprintf("%.0f", r.Gone.Seconds()*1000)
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%s", r.Victim, r.Kills, r.Clean, gone)
		for _, k := range kinds {
			fmt.Fprintf(t, "\t%d", r.Left[k])
		}
		fmt.Fprintln(t)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, r := range rows {
		for i, x := range r.Examples {
			if i == 2 {
				break
			}
			if _, err := fmt.Fprintf(w, "%s left, for instance: %v\n", r.Victim, x); err != nil {
				return err
			}
		}
	}
	_, err := fmt.Fprintf(w, "clean: nothing was left within %v, at the latest after so many ms; seed %d\n", chaos.Patience.Round(time.Second), seed)
	return err
}
