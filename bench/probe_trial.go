package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"lab/bench/cgroup"
	"lab/bench/clock"
	"lab/bench/image"
	"lab/bench/probe/line"
)

// Check taints the trial where the clocks disagree about a section, unless the
// cell's trials make them (Cell.Makes).
func (t *T) Check(h Heard) {
	if h.Kind == line.End && h.Apart() && !slices.Contains(t.plan.Asked.Makes, TwoClocks) {
		t.Taint(TwoClocks)
	}
}

// Probe starts an instance of the cell's whose workload is the probe with a
// subcommand, hears it out, and closes it: what on does, Probe.Talk says. The
// clocks are checked.
func (t *T) Probe(ctx context.Context, args []string, on func(Instance, Heard) error) error {
	return t.ProbeOf(ctx, t.Spec(Command{}), args, on)
}

// ProbeOf is Probe with a changed Spec of the cell's, whose command it sets.
func (t *T) ProbeOf(ctx context.Context, s Spec, args []string, on func(Instance, Heard) error) error {
	return t.probe(ctx, t.plan.Env, s, args, on)
}

// Beside is Probe in the environment Scenario.Beside, with its own default
// settings and the run's limits, in a cgroup of its own: what is at the other end
// of what is measured.
func (t *T) Beside(ctx context.Context, args []string, on func(Instance, Heard) error) error {
	settings, err := Resolve(t.plan.Other, nil)
	if err != nil {
		return err
	}
	limits := t.plan.Limits
	if limits.CPUWeight == 0 {
		limits.CPUWeight = cgroup.DefaultWeight
	}
	return t.probe(ctx, t.plan.Other, Spec{Image: t.plan.Image, Settings: settings, Limits: limits}, args, on)
}

func (t *T) probe(ctx context.Context, env Environment, s Spec, args []string, on func(Instance, Heard) error) error {
	p, err := NewProbe()
	if err != nil {
		return err
	}
	defer p.Close()
	s.Command = p.Command(args...)
	i, err := t.hear(ctx, env, p, s, func(i Instance, h Heard) error {
		t.Check(h)
		if err := on(i, h); err != nil || h.Kind != line.Begin {
			return err
		}
		return t.Meet(ctx)
	})
	if i == nil {
		return err
	}
	if err != nil {
		// A program that was silent until the trial's end may be one whose
		// kernel hangs, and says so somewhere else.
		late := errors.Is(ctx.Err(), context.DeadlineExceeded)
		if !late && (ctx.Err() != nil || !errors.Is(err, clock.ErrClosed)) {
			return err
		}
		if _, ok := i.(Explainer); ok {
			return Blamed(Whose(err), Explain(i, err))
		}
		if late {
			return err
		}
		if exit, werr := i.Wait(ctx); werr == nil {
			err = Blamed(Whose(err), fmt.Errorf("%w; the program ended with %v", err, exit))
		}
		return err
	}
	if exit, err := i.Wait(ctx); err != nil {
		return err
	} else if exit.Status() != 0 {
		return Blamed(BlameWorkload, fmt.Errorf("probe: said bye, then ended with %v", exit))
	}
	return t.Close(i)
}

// Hear starts an instance whose program is p's, and hears it out: on is given each
// line. The instance is nil if it couldn't be started; else an error is the program's
// or on's, and Explain may know more of it.
func (t *T) Hear(ctx context.Context, p *Probe, s Spec, on func(Instance, Heard) error) (Instance, error) {
	return t.hear(ctx, t.plan.Env, p, s, on)
}

func (t *T) hear(ctx context.Context, env Environment, p *Probe, s Spec, on func(Instance, Heard) error) (Instance, error) {
	i, err := t.prepare(ctx, env, s)
	if err != nil {
		return nil, err
	}
	if err := i.Start(ctx); err != nil {
		return nil, err
	}
	p.Listen(i.Ready())
	return i, p.Talk(ctx, func(h Heard) error { return on(i, h) })
}

// Explain is an error with what an instance that can tell knows of it.
func Explain(i Instance, err error) error {
	if e, ok := i.(Explainer); ok {
		return e.Explain(err)
	}
	return err
}

// hasProbe says whether the image of a Spec has the probe, where that is its
// program: a lab that was built without its probe makes images without one.
func hasProbe(s Spec) error {
	if len(s.Command.Argv) == 0 || s.Command.Argv[0] != image.ProbePath || s.Image.Dir == "" {
		return nil
	}
	if _, err := os.Lstat(filepath.Join(s.Image.Dir, image.ProbePath)); err != nil {
		return Unavailable("the image "+s.Image.Dir+" has no "+image.ProbePath+", the program that measures inside", "make build if the image is the lab's own, else leave --image out")
	}
	return nil
}
