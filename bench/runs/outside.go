package runs

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"

	"lab/bench"
	"lab/bench/cgroup"
	"lab/bench/engine"
	"lab/bench/launch"
	"lab/bench/machine"
	"lab/bench/results"
	"lab/bench/testbed"
)

// outside is an environment under another name: in this process's own namespaces.
type outside struct {
	bench.Environment
	label string
}

func (o outside) Name() string { return o.label }

// An outsider makes the same trials as a worker, in the supervisor: outside of
// the testbed. It makes one when it is told to.
type outsider struct {
	turn, made, ended chan struct{}
	coin              *rand.Rand
	late              bool // the last block's trial comes after the worker's
	err               error
}

// RunBeside is Run while the supervisor makes the same trials itself, outside of
// the testbed, in plain, whose cells are added under the name label: for lab
// calibrate, which asks what the testbed does to a program. The two take turns; a
// coin decides for each block which of them comes first.
func (s *Supervisor) RunBeside(p Parts, plain bench.Environment, label string) (end End, err error) {
	o := &outsider{turn: make(chan struct{}), made: make(chan struct{}), ended: make(chan struct{}),
		coin: rand.New(rand.NewPCG(s.Job.Manifest.Seed, 0x6f7574))} // "out"
	tb, err := testbed.Local(s.Job.Cache, &cgroup.Options{}, launch.Undertaker(os.Args[0]))
	if err != nil {
		return end, err
	}
	defer func() { err = errors.Join(err, tb.Close()) }()
	guard, err := machine.NewSampler("")
	if err != nil {
		return end, err
	}
	defer guard.Close()
	env := outside{plain, label}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	if err := env.Open(ctx, tb); err != nil {
		return end, err
	}
	defer env.Close()

	sc := s.Job.Numbered(p, s.Job.Scenario)
	cells := sc.Cells
	sc.Cells = func(opt bench.Options) []bench.Cell {
		out := cells(opt)
		for i := range out {
			out[i].Env = label
		}
		return out
	}
	m := s.Job.Manifest
	r := &engine.Runner{Scenario: sc, Envs: []bench.Environment{env}, Options: s.Job.Options, Image: s.Job.Image,
		Seed: m.Seed, Manifest: &m, Guard: guard.Guard, Progress: o.wait,
		Write: func(l []results.Line) error {
			return s.Write(func(w *results.Writer) error { return w.Trial(l) })
		}}
	if err := r.Plan(ctx); err != nil {
		return end, err
	}
	go func() {
		defer close(o.ended)
		_, o.err = r.Run(ctx)
	}()
	select { // it waits for its first turn
	case <-o.made:
	case <-o.ended:
	}
	s.Between = o.between
	end, err = s.Run()
	stop()
	close(o.turn)
	<-o.ended
	if err = errors.Join(err, o.err); err != nil {
		return end, err
	}
	return end, s.Amend(func(whole *results.Manifest) { whole.Cells = append(whole.Cells, m.Cells...) })
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
