package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"lab/bench/input"
	"lab/bench/owner"
	"lab/bench/paper"
	"lab/bench/results"
	"lab/cmd/cli"
	"lab/reports"
	"lab/reports/page"
	"lab/scenarios"
)

// A paper is a file of rows: what was published, in which of its tables, and by which
// scenario and metric the same question is asked here. What counts as agreement is in
// that file as well, written before anything is measured; this command only runs what
// the rows need and has package reports judge. So there is nothing here about any one
// paper, and a reader's own file is worth as much as those that the lab brings along.
//
// Three ways lead to a verdict: measure (no folders named), judge folders that are
// there, or make a file of a folder (paper from), which others then measure against.

// paperCommand is lab paper: it measures what a paper has measured, and sets the two side
// by side.
func (a *app) paperCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use: "paper NAME|FILE [DIR…] | paper list | paper from DIR",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cli.Usagef("paper: which? there are: %s", strings.Join(scenarios.Papers(), ", "))
			}
			return nil
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return scenarios.Papers(), cobra.ShellCompDirectiveDefault
			}
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: func(_ *cobra.Command, args []string) error {
			s, data, err := findPaper(args[0])
			if err != nil {
				return userError(err)
			}
			if len(args) > 1 {
				return a.judgePaper(s, data, args[1:], f.out)
			}
			return a.measurePaper(strings.TrimSuffix(filepath.Base(args[0]), ".yaml"), s, data, f)
		},
	}
	fl := cmd.Flags()
	requestFlags(fl, &f.Request, "env", "quick", "runs", "seed", "accel", "work")
	fl.Lookup("env").Usage = "`ENV,…` environments (default: the paper's)"
	fl.StringVar(&f.out, "out", "", "`DIR` folder for the report and a results folder each scenario; those that are there are taken over (default: results/<UTC time>-<name>)")
	fl.BoolVar(&f.predict, "predict", false, "print how many trials there would be and how long they would take; run nothing")
	a.WaitFlag(fl)
	cli.Further(fl, "wait")
	completeFlags(cmd)
	list := &cobra.Command{Use: "list", Args: noArgs, RunE: func(*cobra.Command, []string) error { return a.listPapers() }}
	from := &cobra.Command{Use: "from DIR", Args: oneFolder, ValidArgsFunction: completeFolders, RunE: func(_ *cobra.Command, args []string) error {
		run, err := results.Read(args[0])
		if err != nil {
			return fmt.Errorf("paper from: %w", err)
		}
		s, err := reports.PaperFrom(run)
		if err != nil {
			return fmt.Errorf("paper from: %w", err)
		}
		data, err := s.Bytes()
		if err == nil {
			_, err = a.Stdout.Write(data)
		}
		return err
	}}
	cmd.AddCommand(list, from)
	return cmd
}

// findPaper reads a file, or a paper that the lab has.
func findPaper(name string) (*paper.Suite, []byte, error) {
	if !strings.Contains(name, "/") && !strings.HasSuffix(name, ".yaml") {
		return scenarios.FindPaper(name)
	}
	data, err := input.ReadNamed(name, paper.MaxSize)
	if err != nil {
		return nil, nil, err
	}
	s, err := scenarios.ParsePaper(name, data)
	return s, data, err
}

// listPapers prints a line for each paper of the lab's.
func (a *app) listPapers() error {
	p := &page.Page{}
	t := page.Table{Head: []page.Text{say("paper"), say("rows"), say("measurable"), say("minutes"), say("what it compares")}, Align: "lrrrl"}
	for _, name := range scenarios.Papers() {
		s, _, err := scenarios.FindPaper(name)
		if err != nil {
			return err
		}
		measurable, minutes := 0, 0
		for _, r := range s.Rows {
			if r.Here != nil {
				measurable++
			}
		}
		for _, m := range s.Minutes {
			minutes += m
		}
		t.Rows = append(t.Rows, []page.Text{name, fmt.Sprint(len(s.Rows)), fmt.Sprint(measurable), fmt.Sprint(minutes), s.Title})
	}
	narrow := t
	narrow.Rows = nil
	for _, r := range t.Rows {
		narrow.Rows = append(narrow.Rows, append(slices.Clone(r[:4]), page.Wrapped{Text: r[4], Width: 34}))
	}
	p.Table(t, narrow)
	p.Text(say("Minutes are those of --quick."))
	return p.Terminal(a.Page, page.OptionsFor(a.Stdout.File))
}

// judgePaper sets a paper next to results folders that are there. Nothing is measured.
func (a *app) judgePaper(s *paper.Suite, data []byte, dirs []string, out string) error {
	runs, err := distinct("paper", dirs)
	if out != "" {
		err = errors.Join(err, a.inNewFolder(out, func(uid, gid int) error { return reports.WritePaper(s, data, runs, nil, out, uid, gid) }))
	}
	err = errors.Join(err, reports.Paper(s, runs, false).Terminal(a.Page, page.OptionsFor(a.Stdout.File)))
	if out == "" {
		return errors.Join(err, sayTo(a.Page, "\nfor the report: --out DIR\n"))
	}
	return errors.Join(err, a.sayReport(out))
}

// sayReport says where a paper's report is.
func (a *app) sayReport(dir string) error {
	return sayTo(a.Page, "\nthe report: %s\n", filepath.Join(dir, "report.md"))
}

// measurePaper runs the scenarios that a paper's rows need, each into a folder below one
// that gets the report. A scenario that runs an application has a request of its own, as
// its image is the application's; without the image its rows stay unmeasured.
func (a *app) measurePaper(name string, s *paper.Suite, data []byte, f runFlags) error {
	if len(f.Environments) == 0 {
		f.Environments = s.Env
	}
	if f.out == "" && !f.predict {
		f.out = newFolder(name)
	}
	f.gather = &gathering{}
	lacks := map[string]error{}
	var last error
	for _, g := range paperRequests(s, f) {
		if g.App != "" {
			if err := g.application(); err != nil { // which says where it is
				return err
			}
			if err := g.appImage(); err != nil { // no failure: these rows have the reason
				for _, name := range g.Scenarios {
					a.note(say("%s: not measured: %v", name, err))
					lacks[name] = err
				}
				continue
			}
		}
		var err error
		if f.predict {
			err = a.predict(g)
		} else {
			err = a.run(g)
		}
		var e *cli.StatusError
		if errors.As(err, &e) && (e.Status == cli.StatusUsage || e.Status == cli.StatusInterrupted) {
			a.sayRest(e, f.out)
			return err
		}
		last = errors.Join(last, err)
	}
	if f.predict {
		if !f.Quick {
			n := 0
			for _, m := range s.Minutes {
				n += m
			}
			last = errors.Join(last, sayTo(a.Page, "With --quick it takes some %d minutes.\n", n))
		}
		return last
	}
	var dirs []string
	for _, sc := range s.Scenarios() {
		dirs = append(dirs, filepath.Join(f.out, sc))
	}
	runs, _ := distinct("paper", dirs) // one that couldn't run has said so
	if len(runs) == 0 {
		return last
	}
	uid, gid := owner.IDs()
	if err := a.uninterrupted(f.out, func() error { return reports.WritePaper(s, data, runs, lacks, f.out, uid, gid) }); err != nil {
		return errors.Join(last, err)
	}
	fmt.Fprintln(a.Page)
	if err := reports.Paper(s, runs, false).Terminal(a.Page, page.OptionsFor(a.Stdout.File)); err != nil {
		return err
	}
	return errors.Join(last, a.sayReport(f.out))
}

// paperRequests are what has to be run for a paper: the scenarios without an application
// together, and those with one.
func paperRequests(s *paper.Suite, f runFlags) (out []runFlags) {
	plain, apps := f, f
	for _, name := range s.Scenarios() {
		if takesApp(name) {
			apps.Scenarios = append(apps.Scenarios, name)
		} else {
			plain.Scenarios = append(plain.Scenarios, name)
		}
	}
	apps.App, apps.paperApp = s.App, true
	for _, g := range []runFlags{plain, apps} {
		if len(g.Scenarios) > 0 {
			out = append(out, g)
		}
	}
	return out
}
