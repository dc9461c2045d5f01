package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/fleet"
	"lab/bench/results"
	"lab/bench/runs"
	"lab/cmd/cli"
	"lab/reports"
)

// A fleet from its folder to its report. Until the folder is whole, which takes as long as
// the bundle, it is this command's to remove, also when Ctrl-C comes; from then on nothing
// of it is removed any more, and what is typed next is lab fleet resume.
//
// The exit status says how many machines there are results of: 0 of all, 1 of some, 3 of
// none, and that of an interrupt otherwise. A machine that was taken out of the list
// (fleet.Dropped) isn't missed.

// newFleet makes the folder of a fleet, with its bundle, and runs it.
func (a *app) newFleet(f fleetFlags) error {
	if err := f.checkExperiment(); err != nil {
		return err
	}
	if err := f.checkJobs(); err != nil {
		return err
	}
	if f.out == "" {
		f.out = filepath.Join("results", time.Now().UTC().Format("20060102T150405Z")+"-fleet")
	}
	if _, err := os.Lstat(f.out); err == nil {
		return cli.Usagef("%s exists, and results are never overwritten; fix: another name for --out, or lab fleet resume", f.out)
	}
	x := &fleet.Fleet{Lab: cli.Version(), Machine: machineName(), Experiment: f.experiment.Digested, Scenarios: f.Scenarios, Wait: f.wait}
	if err := f.setMachines(x); err != nil {
		return err
	}
	// What isn't whole yet is removed also when Ctrl-C comes.
	sigs, made := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(sigs, runs.Signals()...)
	defer signal.Stop(sigs)
	err := fleet.New(f.out, f.experiment.Data, x)
	if err != nil {
		return err // the folder may be somebody's
	}
	go func() {
		select {
		case <-sigs:
			os.RemoveAll(f.out)
			os.Exit(cli.StatusInterrupted)
		case <-made:
		}
	}()
	if f.bundle != "" {
		if err = x.UseBundle(f.bundle); err != nil {
			err = cli.Usagef("--bundle: %w", err)
		}
	} else {
		var digest string
		var size int64
		if digest, size, err = a.bundle(x.BundlePath()); err == nil {
			x.Bundle = results.Digested{Name: bundleName(), Digest: "sha256:" + digest, Size: size}
		}
	}
	if err == nil {
		err = x.Save()
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(f.out)) // it was made a moment ago
	}
	close(made)
	lock, err := x.Lock()
	if err != nil {
		return err
	}
	defer lock.Close()
	return a.runFleet(x, f.parallel)
}

// setMachines says which machines a fleet has: those of --hosts, or as many of Slurm's.
func (f *fleetFlags) setMachines(x *fleet.Fleet) error {
	switch {
	case f.slurm && f.hosts != "":
		return cli.Usagef("fleet run: --hosts names machines for ssh, and with --slurm it is Slurm that finds them; fix: leave one out")
	case !f.slurm && (len(f.options) > 0 || f.tasks != 0):
		return cli.Usagef("fleet run: --tasks, and options of sbatch, are for --slurm")
	case !f.slurm:
		hosts, err := f.machines()
		if err == nil {
			x.SetHosts(hosts)
		}
		return err
	case f.tasks < 0 || f.tasks > 100_000:
		return cli.Usagef("--tasks %d: 1 to 100,000", f.tasks)
	}
	if err := fleet.CheckSlurm(f.options); err != nil {
		return cli.Usagef("fleet run --slurm: %w", err)
	}
	x.Slurm = &fleet.Slurm{Options: f.options, Patience: f.patience}
	if f.tasks == 0 {
		n, err := x.Slurm.CountNodes(context.Background())
		if err != nil {
			return fmt.Errorf("fleet run --slurm: how many machines? %w; fix: --tasks N", err)
		}
		f.tasks = n
	}
	x.SetTasks(f.tasks)
	return nil
}

// machineName is what uname -m says.
func machineName() string {
	var u unix.Utsname
	unix.Uname(&u)
	return unix.ByteSliceToString(u.Machine[:])
}

// runFleet runs what isn't measured yet, and reports. The caller holds the fleet's lock.
func (a *app) runFleet(x *fleet.Fleet, parallel int) error {
	x.Draw = func(run *results.Run) error { return reports.WriteRun(run, run.Dir, -1, -1) }
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	sigs := make(chan os.Signal, 4)
	signal.Notify(sigs, runs.Signals()...)
	defer signal.Stop(sigs)
	go func() {
		<-sigs
		cancel(errors.New("stopped here; each machine finishes its trial"))
		<-sigs
		os.Exit(cli.StatusInterrupted) // ssh dies with this program
	}()
	// The states are looked at from a goroutine of their own, and not told by those who
	// change them: a machine that is slow to answer must not stop the others' lines.
	screen := newScreen(a.Stderr.File)
	drawn := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(drawn)
		for {
			screen.draw(x.Statuses())
			select {
			case <-time.After(500 * time.Millisecond):
			case <-ended:
				screen.clear()
				return
			}
		}
	}()
	err := x.Run(ctx, parallel)
	close(ended)
	<-drawn
	if err != nil && ctx.Err() == nil {
		return err
	}
	return a.concludeFleet(x, ctx.Err() != nil)
}

// firstOf names the first few of several: their reasons are at the top of a long report.
func firstOf(names []string) string {
	const most = 5
	if len(names) > most {
		return strings.Join(names[:most], ", ") + ", …"
	}
	return strings.Join(names, ", ")
}

// concludeFleet says what became of each machine, and draws what came back.
func (a *app) concludeFleet(x *fleet.Fleet, interrupted bool) error {
	done, partly := 0, 0
	var missing []string
	for _, h := range x.Hosts {
		switch h.State {
		case fleet.Done:
			done++
		case fleet.Dropped: // it isn't asked for the rest
			partly++
		default:
			missing = append(missing, h.Name)
		}
	}
	if partly > 0 {
		sayTo(a.Page, "%d of %d machines measured, %d partly: %s\n", done, len(x.Hosts), partly, x.Dir)
	} else {
		sayTo(a.Page, "%d of %d machines measured: %s\n", done, len(x.Hosts), x.Dir)
	}
	for _, h := range x.Hosts {
		switch h.State {
		case fleet.Done:
		case fleet.Dropped:
			sayTo(a.Page, "- %s: partly measured, no longer in the hosts file\n", h.Name)
		default:
			sayTo(a.Page, "- %s: not measured: %s\n", h.Name, inLanguage(h.Reason))
		}
		for _, n := range h.Notes {
			fmt.Fprintf(a.Page, "- %s: %s\n", h.Name, inLanguage(n))
		}
	}
	for _, same := range x.SameMachines() {
		names := strings.Join(same.Names, ", ")
		switch {
		case same.Once:
			sayTo(a.Page, "- %s: one machine with several names, by its boot id: it counts once; fix: keep one of the names\n", names)
		case same.Apart:
			sayTo(a.Page, "- %s: one machine id, as disks that were copied have it; two of them ran at the same time, so they count as separate machines; fix: rm /etc/machine-id && systemd-machine-id-setup there\n", names)
		default:
			sayTo(a.Page, "- %s: one machine id, as disks that were copied have it: they count as one machine; fix: rm /etc/machine-id && systemd-machine-id-setup there\n", names)
		}
	}
	var errs []error
	for _, name := range x.Scenarios {
		dirs := x.Folders(name)
		if len(dirs) == 0 {
			continue
		}
		fmt.Fprintln(a.Page)
		out := filepath.Join(x.Dir, "report-"+name)
		errs = append(errs, os.RemoveAll(out), a.reportMachines(dirs, out, false)) // an earlier one has fewer machines
	}
	if x.Slurm == nil && len(x.Machines()) > 0 { // a task of Slurm's takes it along
		sayTo(a.Page, "\nThe lab's bundle stays on the machines, for lab fleet resume; to remove it: %s\n", cli.Quote([]string{a.Args[0], "fleet", "clean", x.Dir}))
	}
	status := 0
	switch {
	case interrupted:
		status = cli.StatusInterrupted
	case done == 0:
		status = cli.StatusNothing
	case len(missing) > 0:
		status = cli.StatusFailed
	}
	if len(missing) > 0 {
		text := say("%d machines are missing: %s; to measure these, type:", len(missing), firstOf(missing))
		if len(missing) == 1 {
			text = say("%s is missing; to measure it, type:", missing[0])
		}
		errs = append(errs, errors.New(text+"\n     "+cli.Quote([]string{a.Args[0], "fleet", "resume", x.Dir})))
	}
	if status != 0 {
		return cli.Exit(status, errors.Join(errs...))
	}
	return errors.Join(errs...)
}
