package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lab/bench/engine"
	"lab/bench/owner"
	"lab/bench/results"
	"lab/cmd/cli"
	"lab/reports"
	"lab/reports/page"
	"lab/scenarios"
)

// claimsName stands for all scenarios that answer a claim, where lab run takes
// scenarios.
const claimsName = "claims"

// claimsCommand is lab claims. It judges nothing by itself: the statements were
// judged when each run was reported, and are gathered here under the sentences that
// they answer.
func (a *app) claimsCommand() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:               "claims [DIR…]",
		ValidArgsFunction: completeFolders,
		RunE: func(_ *cobra.Command, dirs []string) error {
			runs, err := distinct("claims", dirs)
			if out != "" {
				err = errors.Join(err, a.writeClaims(runs, out))
			}
			return errors.Join(err, a.printClaims(runs))
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "`DIR` new folder for claims.md and report.html, which have all parts with their figures")
	completeFlags(cmd)
	return cmd
}

// distinct reads results folders. A run that is named twice, or copied, counts once. One
// with another's id, and not with its trials, is named: either may be somebody's who made
// it look like the other. What can't be read is the error, of the command whose name it is,
// and keeps no other from being read.
func distinct(who string, dirs []string) (runs []*results.Run, err error) {
	seen := map[string]*results.Run{}
	for _, dir := range spread(dirs) {
		run, wrong := results.Read(dir)
		if wrong != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", who, wrong))
			continue
		}
		id := run.Manifest.ID
		first := seen[id]
		switch {
		case id == "" || first == nil: // an early lab gave none
			seen[id], runs = run, append(runs, run)
		case !reflect.DeepEqual(first.Lines, run.Lines):
			err = errors.Join(err, fmt.Errorf("%s: %s and %s are the same run (%s), but have different trials; the first one counts", who, first.Dir, dir, id))
		}
	}
	return runs, err
}

// spread has the results folders in the place of a folder that gathers them, as lab paper
// and lab run claims leave one.
func spread(dirs []string) (out []string) {
	is := func(dir string) bool {
		_, err := os.Stat(filepath.Join(dir, results.ManifestFile))
		return err == nil
	}
	for _, dir := range dirs {
		n := len(out)
		if !is(dir) {
			entries, _ := os.ReadDir(dir)
			for _, e := range entries {
				if below := filepath.Join(dir, e.Name()); e.IsDir() && is(below) {
					out = append(out, below)
				}
			}
		}
		if len(out) == n {
			out = append(out, dir)
		}
	}
	return out
}

// claims are the list that the scenarios answer.
func claims() (out []reports.Claim) {
	for _, c := range scenarios.Claims {
		x := reports.Claim{Number: c.Number, Text: c.Text, Lacks: c.Lacks, By: scenarios.Answering(c.Number)}
		for _, r := range scenarios.FurtherRuns {
			if slices.Contains(r.Claims, c.Number) {
				x.Further = strings.Join(furtherWords(r), " ")
			}
		}
		out = append(out, x)
	}
	return out
}

// furtherWords are what is typed behind lab run for a run that a claim needs.
func furtherWords(r scenarios.FurtherRun) []string {
	words := []string{r.Scenario}
	for _, f := range r.Ask.Fields() {
		words = append(words, f.Typed()...)
	}
	return words
}

// furtherRuns are the runs beside the scenarios' own that lab run claims makes for what
// was asked: those whose environments are among the chosen ones, and no long ones for a
// first look. Each has a folder of its own, by its first claim's number.
func (f *runFlags) furtherRuns() (out []runFlags) {
	for _, r := range scenarios.FurtherRuns {
		chosen := len(f.Environments) == 0 || !slices.ContainsFunc(r.Ask.Environments, func(e string) bool { return !slices.Contains(f.Environments, e) })
		if !chosen || r.Long && f.Quick || len(f.Variant) > 0 {
			continue
		}
		x := *f
		x.Scenarios, x.gather = []string{r.Scenario}, &gathering{folder: fmt.Sprintf("%s-%d", r.Scenario, r.Claims[0]), once: f.Quick}
		x.guess = noGuess
		x.Environments, x.some, x.Variant, x.App, x.From = r.Ask.Environments, r.Ask.Environments, r.Ask.Variant, r.Ask.App, r.Ask.From
		out = append(out, x)
	}
	return out
}

// runClaims makes all runs that claims need: the scenarios as they are by default, then
// the further ones. What these need and isn't there is named, and is no failure.
func (a *app) runClaims(f runFlags) error {
	if f.out == "" {
		f.out = newFolder(claimsName)
	}
	f.gather.once = f.Quick
	further := f.furtherRuns()
	for _, x := range append([]runFlags{f}, further...) { // before anything is measured
		for _, name := range x.Scenarios {
			if _, err := taken(x.folder(name, time.Time{}), name, f.Quick); err != nil {
				return err
			}
		}
	}
	last := a.run(f)
	folders := slices.Clone(f.Scenarios)
	for _, x := range further {
		var e *cli.StatusError
		if errors.As(last, &e) && (e.Status == cli.StatusInterrupted || e.Status == cli.StatusUsage) {
			a.sayRest(e, f.out)
			return last
		}
		err := a.run(x)
		folders = append(folders, x.gather.folder)
		switch {
		case errors.As(err, &e) && e.Status == cli.StatusNothing:
			if e.Err != nil {
				a.note(say("%s: not measured: %v", x.gather.folder, e.Err))
			}
		case err != nil:
			last = err
		}
	}
	return errors.Join(last, a.concludeClaims(f.out, folders))
}

// printClaims prints the table of the sentences, each with its verdict by these runs.
func (a *app) printClaims(runs []*results.Run) error {
	return reports.Claims(claims(), runs, false).Terminal(a.Page, page.OptionsFor(a.Stdout.File))
}

// writeClaims leaves claims.md, with all parts and their figures, in a new folder.
func (a *app) writeClaims(runs []*results.Run, dir string) error {
	return a.inNewFolder(dir, func(uid, gid int) error { return reports.WriteClaims(claims(), runs, dir, uid, gid) })
}

// inNewFolder makes a folder, of the user's, and has a report written into it.
func (a *app) inNewFolder(dir string, write func(uid, gid int) error) error {
	uid, gid := owner.IDs()
	f, err := results.Create(dir, uid, gid, nil)
	if err != nil {
		return err
	}
	f.Close()
	return a.uninterrupted(dir, func() error { return write(uid, gid) })
}

// taken says whether a folder has a run of a scenario to its end already, which needn't
// be made again. A first look isn't taken for a whole run.
func taken(dir, scenario string, quick bool) (bool, error) {
	run, err := results.Read(dir)
	if err != nil || run.Manifest.Outcome != engine.Complete && run.Manifest.Outcome != engine.Failures {
		return false, nil
	}
	switch m := run.Manifest; {
	case m.Scenario != scenario:
		return false, cli.Usagef("run: %s has results of %s, and those of %s would go there; fix: another --out", dir, m.Scenario, scenario)
	case m.Quick && !quick:
		return false, cli.Usagef("run: %s has a first look (--quick), which can't be taken for a whole run; fix: --quick, or another --out", dir)
	}
	return true, nil
}

// sayRest says how to measure what an interrupted gathering has left: the command that was
// typed, with its folder. The scenario that was interrupted is gone on with before.
func (a *app) sayRest(e *cli.StatusError, out string) {
	if e.Status != cli.StatusInterrupted || out == "" {
		return
	}
	words := slices.Clone(a.Args[1:])
	if !slices.ContainsFunc(words, func(w string) bool { return w == "--out" || strings.HasPrefix(w, "--out=") }) {
		words = append(words, "--out", out)
	}
	a.note(say("then, for what isn't measured yet, type:") + "\n     " + a.Typed(words))
}

// concludeClaims prints the table of a run of all scenarios that answer claims, and
// leaves it in their folder.
func (a *app) concludeClaims(dir string, names []string) error {
	var runs []*results.Run
	for _, name := range names {
		if run, err := results.Read(filepath.Join(dir, name)); err == nil { // one that couldn't run has said so
			runs = append(runs, run)
		}
	}
	if len(runs) == 0 {
		return nil
	}
	uid, gid := owner.IDs()
	if err := a.uninterrupted(dir, func() error { return reports.WriteClaims(claims(), runs, dir, uid, gid) }); err != nil {
		return err
	}
	fmt.Fprintln(a.Page)
	if err := a.printClaims(runs); err != nil {
		return err
	}
	return sayTo(a.Page, "\nall parts, with their figures: %s\n", filepath.Join(dir, "claims.md"))
}

// onClaims puts the scenarios that answer claims in place of their name, and says
// how their results are gathered.
func (a *app) onClaims(names []string) ([]string, *gathering, error) {
	if len(names) == 1 && names[0] == claimsName {
		return scenarios.OnClaims(), &gathering{}, nil
	}
	if slices.Contains(names, claimsName) {
		return nil, nil, cli.Usagef("run: claims stands for several scenarios, and is given alone; fix: leave the others out")
	}
	return names, nil, nil
}
