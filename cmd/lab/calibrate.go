package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"lab/bench"
	"lab/bench/calibrate"
	"lab/bench/owner"
	"lab/bench/results"
	"lab/bench/runs"
	"lab/chroot"
	"lab/cmd/cli"
	"lab/reports"
	"lab/reports/msg"
	"lab/reports/page"
	"lab/scenarios"
)

// The lab is measured by itself: rows that are the same thing twice, whose difference
// must come out as none; a delay of known size, which must be found; and disturbances
// that are planted, which must be marked. What comes out is how small a difference this
// lab can tell on this machine, and how often it cries wolf. That is why nothing here
// takes a short cut: a part that was made otherwise than a run's trials would say
// nothing about these.

// calibrateFlags are what lab calibrate was told. Its runs are ordinary ones, so that
// most of it is what lab run takes; pairs says how long they are.
type calibrateFlags struct {
	runFlags
	pairs   int
	disturb bool
}

// calibrateCommand is lab calibrate. Each of its parts is a scenario of its own
// (scenarios.Calibration), made by the same machinery as lab run, so that what is
// tried here is what measures there.
func (a *app) calibrateCommand() *cobra.Command {
	var f calibrateFlags
	cmd := &cobra.Command{
		Use:  "calibrate",
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return a.calibrate(f) },
	}
	fl := cmd.Flags()
	fl.IntVar(&f.pairs, "pairs", 200, "`N` pairs of short runs in A/A; fewer also shorten the other parts")
	fl.BoolVar(&f.disturb, "disturb", false, "plant disturbances instead: one trial of each kind for every second pair of --pairs")
	requestFlags(fl, &f.Request, "seed", "paired", "work")
	fl.Lookup("paired").Usage = "try pairs of trials made at the same time (lab run --paired) instead: --pairs of cpu and as many of disk"
	fl.Lookup("paired").Annotations = nil
	cli.Further(fl, "work")
	fl.StringSliceVar(&f.Environments, "env", ends(), "`ENV,…` environments to compare with themselves")
	fl.StringVar(&f.out, "out", "", "`DIR` new folder for the results (default: results/<UTC time>-calibrate)")
	fl.BoolVar(&f.json, "json", false, "print calibration.json instead of the table")
	a.WaitFlag(fl)
	completeFlags(cmd)
	return cmd
}

// calibrate makes the parts one after another, each in a folder of its own below one,
// and then judges them from these folders alone: the judgement can be repeated, and
// checked, without measuring again.
//
// One part is made on both sides of the testbed at a time; see
// runs.Supervisor.RunBeside.
func (a *app) calibrate(f calibrateFlags) error {
	if f.pairs < 1 || f.pairs > 1_000_000 {
		return cli.Usagef("--pairs %d: from 1 to 1000000", f.pairs)
	}
	switch {
	case f.Paired && f.disturb:
		return cli.Usagef("--paired and --disturb ask different questions; fix: leave one of them out")
	case f.Paired && f.pairs < calibrate.WidthSet:
		return cli.Usagef("--pairs %d: with --paired a set has %d", f.pairs, calibrate.WidthSet)
	case f.Work != "" && !f.Paired:
		return cli.Usagef("--work says where instances write, and nothing here does; fix: leave it out, or --paired")
	}
	base, err := f.job()
	if err != nil {
		return err
	}
	// A/A takes thousands of starts: of what needs seconds each they would take a day.
	for _, a := range base.Options.Chosen() {
		if a.Slow {
			return cli.Usagef("--env %s: a calibration makes thousands of starts, which it is too slow for; there are: %s", a.Name, strings.Join(fast(false), ", "))
		}
	}
	if err := a.NeedRoot("lab calibrate", cli.StatusNothing); err != nil {
		return err
	}
	lock, end, err := a.begin(base)
	if err != nil {
		return err
	}
	defer end()
	began := time.Now().UTC()
	dir := f.folder("calibrate", began)
	todo := scenarios.Calibration()
	switch {
	case f.disturb:
		todo = []*bench.Scenario{scenarios.Disturbed()}
	case f.Paired:
		todo = scenarios.InPairs()
	}
	// Each part is a run with a results folder of its own.
	for i, sc := range todo {
		j := *base
		j.Begin(parts, sc.Name)
		j.Options.Trials = f.trials(sc.Name)
		s := &supervisor{Supervisor: runs.Supervisor{Job: &j, Lock: lock, Dir: filepath.Join(dir, sc.Name)}, app: a}
		if i == 0 {
			a.note(say("calibrate: parts: %d, results in %s", len(todo), dir))
		}
		measure := s.Supervisor.Run
		if sc.Name == scenarios.CalibrateOutside {
			measure = func() (runs.End, error) { return s.RunBeside(parts, chroot.Host(), calibrate.Outside) }
		}
		end, err := s.measure(measure)
		if end.Interrupted {
			a.note(say("a calibration is judged as a whole; what was measured of this part: lab report %s", s.Dir))
		}
		if err := status(end, err); err != nil {
			return err
		}
	}
	return a.judgeCalibration(dir, base, todo, f.json)
}

// ends are the least and the most isolated of the environments that are measured
// by default and start in milliseconds.
func ends() []string {
	all := fast(true)
	return []string{all[0], all[len(all)-1]}
}

// fast are the environments that start in milliseconds: all, or those that are
// measured by default.
func fast(byDefault bool) (names []string) {
	for _, a := range known() {
		if !a.Slow && (a.Default || !byDefault) {
			names = append(names, a.Name)
		}
	}
	return names
}

// trials is how many a part makes of each of its cells.
func (f *calibrateFlags) trials(part string) int {
	switch part {
	case scenarios.CalibratePlanted:
		return min(10, max(1, f.pairs/20)) * calibrate.SetSize
	case scenarios.CalibrateOutside:
		return 2 * f.pairs
	case scenarios.CalibrateDisturbed:
		return max(1, f.pairs/2)
	case scenarios.CalibratePairedCPU, scenarios.CalibratePairedDisk:
		return f.pairs
	}
	return f.pairs * scenarios.ShortRun
}

// A calibration is calibration.json.
type calibration struct {
	Format int               `json:"format"`
	Lab    string            `json:"lab"`
	Seed   uint64            `json:"seed,string"`
	Checks []calibrate.Check `json:"checks"`
}

// judgeCalibration reads the parts back, and answers.
func (a *app) judgeCalibration(dir string, j *runs.Job, made []*bench.Scenario, asJSON bool) error {
	// The parts are read back from their folders, as anybody else would read them.
	parts := calibrate.Parts{ShortRun: scenarios.ShortRun}
	to := map[string]**results.Run{
		scenarios.CalibrateShuffled: &parts.Shuffled, scenarios.CalibrateBlocks: &parts.Blocks,
		scenarios.CalibratePlanted: &parts.Planted, scenarios.CalibrateOutside: &parts.Outside,
		scenarios.CalibrateDisturbed: &parts.Disturbed,
		scenarios.CalibratePairedCPU: &parts.PairedCPU, scenarios.CalibratePairedDisk: &parts.PairedDisk,
	}
	for _, sc := range made {
		run, err := results.Read(filepath.Join(dir, sc.Name))
		if err != nil {
			return err
		}
		*to[sc.Name] = run
	}
	checks, err := calibrate.Judge(parts)
	if err != nil {
		return err
	}
	data, err := json.MarshalIndent(calibration{results.Format, cli.Version(), j.Manifest.Seed, checks}, "", "  ")
	if err != nil {
		return err
	}
	p := reports.Calibration(rowsOf(checks))
	err = keep(dir, j, map[string][]byte{"calibration.json": append(data, '\n'), "calibration.md": p.Markdown(msg.Reader())})
	if asJSON {
		_, werr := a.Stdout.Write(append(data, '\n'))
		err = errors.Join(err, werr)
	} else {
		err = errors.Join(err, p.Terminal(a.Page, page.OptionsFor(a.Stdout.File)))
		sayTo(a.Page, "\nresults: %s\n", dir)
	}
	if slices.ContainsFunc(checks, func(c calibrate.Check) bool { return c.Answer == calibrate.No }) {
		err = errors.Join(err, cli.Exit(cli.StatusFailed, nil))
	}
	return err
}

// rowsOf are the answers as the page of package reports takes them, which knows
// nothing of calibrations.
func rowsOf(checks []calibrate.Check) [][]string {
	var out [][]string
	for _, c := range checks {
		out = append(out, []string{c.Name, c.Question, c.Measured, c.Wanted, c.Answer})
	}
	return out
}

// keep writes files of the user's into the folder. Through a root: the folder is
// the user's, and a planted link must not lead elsewhere.
func keep(dir string, j *runs.Job, files map[string][]byte) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	errs := []error{owner.Courtesy(root.Chown(".", j.UID, j.GID))}
	for name, data := range files {
		errs = append(errs, results.Put(root, name, j.UID, j.GID, data))
	}
	return errors.Join(errs...)
}
