package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"lab/bench/fleet"
	"lab/bench/owner"
	"lab/bench/results"
	"lab/bench/runs"
	"lab/cmd/cli"
	"lab/reports"
	"lab/reports/analysis"
	"lab/reports/msg"
	"lab/reports/page"
	"lab/reports/plot"
)

// A report is a function of its folder: whoever has the folder can draw it, with
// another version of the lab or in another language, and the data are left as they are.
// That is why nothing here measures, and why what goes wrong in drawing never loses a
// trial: lab run calls the same code as lab report, after the last trial was written.
//
// Several folders make one report across machines (reportMachines), which is a folder
// of its own, as it belongs to none of them.

// reportCommand is lab report. It draws again from what was measured: with a newer
// lab a better picture, or on another machine the same one. The data stay as they
// are, and so do their checksums.
func (a *app) reportCommand() *cobra.Command {
	var json bool
	var out, public string
	cmd := &cobra.Command{
		Use:  "report DIR…",
		Args: someFolders, ValidArgsFunction: completeFolders,
		RunE: func(_ *cobra.Command, dirs []string) error {
			if public != "" {
				if len(dirs) > 1 {
					return cli.Usagef("report: --public is for one folder, not %d", len(dirs))
				}
				return a.publish(dirs[0], public)
			}
			if len(dirs) > 1 && !json {
				return a.reportMachines(dirs, out, true)
			}
			if out != "" {
				return cli.Usagef("report: --out is for several folders; the report of a single one is written into it")
			}
			var errs []error
			for _, dir := range dirs {
				run, err := reports.Read(dir)
				if err != nil {
					err = fmt.Errorf("report: %w", err)
				} else if err = a.uninterrupted(dir, func() error { return reports.Redraw(run) }); err == nil {
					err = a.printReport(run, json)
				}
				errs = append(errs, err)
			}
			return errors.Join(errs...)
		},
	}
	cmd.Flags().BoolVar(&json, "json", false, "print each summary.json instead of the tables")
	cmd.Flags().StringVar(&out, "out", "", "`DIR` new folder for the report across machines")
	cmd.Flags().StringVar(&public, "public", "", "`DIR` new folder for a copy that can be published: what was measured, without places of this machine")
	completeFlags(cmd)
	return cmd
}

// publish leaves a copy of a folder that names nothing of this machine's own.
func (a *app) publish(dir, to string) error {
	private := []string{}
	name, _ := os.Hostname()
	home, _ := os.UserHomeDir()
	for _, word := range []string{name, home, os.Getenv("SUDO_USER")} {
		if len(word) > 3 && word != "localhost" && word != "root" && word != "/root" { // what every machine has
			private = append(private, word)
		}
	}
	if err := a.writeNew(to, func() ([]plot.File, error) { return reports.Public(dir, private) }); err != nil {
		return err
	}
	return sayTo(a.Page, "%s: what was measured in %s, without what is this machine's own\n", to, dir)
}

// writeNew writes files into a new folder, with their checksums. Nothing is there if
// they can't be made.
func (a *app) writeNew(dir string, draw func() ([]plot.File, error)) error {
	return a.uninterrupted(dir, func() error {
		files, err := draw()
		if err != nil {
			return err
		}
		uid, gid := owner.IDs()
		f, err := results.Create(dir, uid, gid, nil)
		if err != nil {
			return err
		}
		f.Close()
		return reports.WriteFiles(dir, files, uid, gid)
	})
}

// report writes the report of a run that has just ended, and prints it.
func (a *app) report(dir string, uid, gid int, json bool) error {
	run, err := results.Read(dir)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if err := a.uninterrupted(dir, func() error { return reports.WriteRun(run, dir, uid, gid) }); err != nil {
		return err
	}
	return a.printReport(run, json)
}

// uninterrupted runs what writes a report to its end, which takes a second or so: a signal that
// comes meanwhile waits for that, and is the error afterwards. The second ends the
// command at once, and the user is told how to get the rest.
func (a *app) uninterrupted(dir string, write func() error) error {
	sigs := make(chan os.Signal, 4)
	signal.Notify(sigs, runs.Signals()...)
	defer signal.Stop(sigs)
	written := make(chan error, 1)
	go func() { written <- write() }()
	interrupted := cli.Exit(cli.StatusInterrupted, nil)
	for heard := 0; ; heard++ {
		select {
		case err := <-written:
			if heard > 0 && err == nil {
				err = interrupted
			}
			return err
		case sig := <-sigs:
			if heard > 0 {
				a.note(say("not all of the report is in %s; to draw it again, type:", dir) + "\n     " + a.Typed([]string{"report", dir}))
				return interrupted
			}
			a.note(say("%v: writing the report in %s first (once more ends it at once)", sig, dir))
		}
	}
}

// printReport prints a run's table, or its summary as JSON, and says where the rest is.
func (a *app) printReport(run *results.Run, json bool) error {
	// The report was written before: what is printed is the file, byte by byte.
	dir := run.Dir
	if json {
		summary, err := os.ReadFile(filepath.Join(dir, "summary.json"))
		if err != nil {
			return err
		}
		_, err = a.Stdout.Write(summary)
		return err
	}
	if err := reports.Terminal(a.Page, run, page.OptionsFor(a.Stdout.File)); err != nil {
		return err
	}
	err := sayTo(a.Page, "\nreport: %s\n", filepath.Join(dir, "report.md"))
	if plots, _ := filepath.Glob(filepath.Join(dir, "plots", "*.png")); len(plots) > 0 {
		err = sayTo(a.Page, "plots:  %s (%d)\n", filepath.Join(dir, "plots"), len(plots))
	}
	return err
}

// reportMachines draws each folder again if asked to, and sets those of one scenario
// side by side. A folder that can't be read doesn't keep the others from it. Fleets that
// they are of tell which machines have no results, and which are several in spite of one
// machine id.
func (a *app) reportMachines(dirs []string, out string, redraw bool) error {
	fleets := fleet.Of(dirs)
	// By scenario, in the order in which the folders were given.
	var names []string
	by := map[string][]*analysis.Analysis{}
	first := map[[2]string]string{} // the folder of a scenario's run
	var errs []error
	for _, r := range a.readMachines(dirs, redraw) {
		if r.Err != nil {
			errs = append(errs, fmt.Errorf("report: %w", r.Err))
			continue
		}
		run := r.Run
		// A copy of a run tells nothing about another machine.
		key := [2]string{run.Manifest.Scenario, run.Manifest.ID}
		if dir, twice := first[key]; twice && run.Manifest.ID != "" {
			errs = append(errs, fmt.Errorf("report: %s and %s are the same run (%s), which counts once", dir, r.Dir, run.Manifest.ID))
			continue
		}
		first[key] = r.Dir
		// Folders of several scenarios are as many reports; only with --out there can be
		// but one.
		if name := run.Manifest.Scenario; by[name] == nil {
			names = append(names, name)
		}
		r.Analysis.Host = fleets.Apart(run.Manifest.Scenario, r.Dir, run.Machine.ID)
		by[run.Manifest.Scenario] = append(by[run.Manifest.Scenario], r.Analysis)
	}
	if out != "" && len(names) > 1 {
		return cli.Usagef("report: --out is for one scenario, and these folders have %s; name one scenario's", strings.Join(names, ", "))
	}
	for i, name := range names {
		if i > 0 {
			fmt.Fprintln(a.Page)
		}
		if len(by[name]) == 1 && len(names) > 1 {
			errs = append(errs, a.printReport(by[name][0].Run, false))
			continue
		}
		var absent []analysis.Absent
		for _, h := range fleets.Absent(name, dirs) {
			absent = append(absent, analysis.Absent(h))
		}
		m, err := analysis.Across(by[name], absent...)
		// What is in a file is told in short.
		show := reports.Machines
		if out != "" {
			show = reports.MachinesBrief
		}
		if err == nil {
			err = show(m).Terminal(a.Page, page.OptionsFor(a.Stdout.File))
		}
		if err == nil && out != "" {
			err = a.writeMachines(m, out)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// readMachines reads folders, and draws each again if asked to. That would take hours for
// many: then it isn't done, and said.
func (a *app) readMachines(dirs []string, redraw bool) (out []reports.ReadRun) {
	if len(dirs) > analysis.Many {
		if redraw {
			a.note(say("%d folders: none of them is drawn again, what they have in common is", len(dirs)))
		}
		return reports.ReadMany(dirs)
	}
	for _, dir := range dirs {
		x := reports.ReadRun{Dir: dir}
		run, err := reports.Read(dir)
		if err == nil && redraw {
			err = a.uninterrupted(dir, func() error { return reports.Redraw(run) })
		}
		if x.Err = err; err == nil {
			x.Analysis = analysis.Of(run)
		}
		out = append(out, x)
	}
	return out
}

// writeMachines writes the report across machines into a new folder: it belongs to
// none of the runs.
func (a *app) writeMachines(m *analysis.Machines, out string) error {
	if err := a.writeNew(out, func() ([]plot.File, error) { return reports.MachinesFiles(m, msg.Reader()) }); err != nil {
		return err
	}
	return sayTo(a.Page, "\nreport: %s\n", filepath.Join(out, "machines.md"))
}
