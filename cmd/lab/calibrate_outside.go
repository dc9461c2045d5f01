//go:build !lean

package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"

	"lab/bench"
	"lab/bench/calibrate"
	"lab/bench/engine"
	"lab/bench/machine"
	"lab/bench/results"
	"lab/bench/testbed"
	"lab/chroot"
	"lab/scenarios"
)

// hostOutside is the host environment in this process's own namespaces.
type hostOutside struct{ bench.Environment }

func (hostOutside) Name() string { return calibrate.Outside }

// An outsider makes the same trials as a worker, in the supervisor: outside of
// the testbed. It makes one when it is told to.
type outsider struct {
	turn, made, ended chan struct{}
	coin              *rand.Rand
	late              bool // the last block's trial comes after the worker's
	err               error
}

// outside runs the part in which starts in the testbed and outside of it take
// turns. A coin decides for each block which of the two comes first.
func (a *app) outside(s *supervisor) (err error) {
	o := &outsider{turn: make(chan struct{}), made: make(chan struct{}), ended: make(chan struct{}),
		coin: rand.New(rand.NewPCG(s.job.Manifest.Seed, 0x6f7574))} // "out"
	tb, err := testbed.Local(s.job.Cache, true, s.undertaker())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tb.Close()) }()
	guard, err := machine.NewSampler("")
	if err != nil {
		return err
	}
	defer guard.Close()
	env := hostOutside{chroot.Host()}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	if err := env.Open(ctx, tb); err != nil {
		return err
	}
	defer env.Close()

	sc := scenarios.Find(scenarios.CalibrateOutside)
	cells := sc.Cells
	sc.Cells = func(opt bench.Options) []bench.Cell {
		out := cells(opt)
		for i := range out {
			out[i].Env = calibrate.Outside
		}
		return out
	}
	m := s.job.Manifest
	r := &engine.Runner{Scenario: sc, Envs: []bench.Environment{env}, Options: s.job.Options, Image: s.job.Image,
		Seed: m.Seed, Manifest: &m, Guard: guard.Guard, Progress: o.wait,
		Write: func(l []results.Line) error {
			return s.write(func(w *results.Writer) error { return w.Trial(l) })
		}}
	if err := r.Plan(ctx); err != nil {
		return err
	}
	go func() {
		defer close(o.ended)
		_, o.err = r.Run(ctx)
	}()
	select { // it waits for its first turn
	case <-o.made:
	case <-o.ended:
	}
	s.between = o.between
	err = s.run()
	stop()
	close(o.turn)
	<-o.ended
	if err = errors.Join(err, o.err); err != nil {
		return err
	}
	return s.addCells(m.Cells)
}

// wait is called between the outsider's trials: it says that one is made, and
// waits for the next turn.
func (o *outsider) wait(engine.Progress) {
	o.made <- struct{}{}
	<-o.turn
}

// between is called between the worker's trials.
func (o *outsider) between(p engine.Progress) {
	if o.late {
		o.one()
	}
	o.late = false
	if p.Done == p.Total {
		return
	}
	if o.late = o.coin.IntN(2) == 1; !o.late {
		o.one()
	}
}

// one lets the outsider make a trial, and waits until it is made.
func (o *outsider) one() {
	select {
	case o.turn <- struct{}{}:
	case <-o.ended: // it failed, and says so at the end
		return
	}
	select {
	case <-o.made:
	case <-o.ended:
	}
}

// addCells adds cells to the manifest of a run that has ended.
func (s *supervisor) addCells(cells []results.Cell) error {
	run, err := results.Read(s.dir)
	if err != nil {
		return err
	}
	m := &run.Manifest
	m.Cells = append(m.Cells, cells...)
	f, err := os.Open(s.dir)
	if err != nil {
		return err
	}
	defer f.Close()
	s.folder = f
	return s.write(func(w *results.Writer) error { return w.Manifest(m) })
}
