package fleet

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Pauses before a machine is tried again whose connection was lost. They are a variable
// for the tests alone.
var pauses = []time.Duration{5 * time.Second, 20 * time.Second, time.Minute}

// A Status is how far one machine is, for whoever shows it.
type Status struct {
	Name, State, Reason string
	Event
}

// Run measures on each machine what isn't measured yet, some at a time, and brings it
// back. What goes wrong on one is that one's [Host.Reason]; an error is about the
// fleet's own folder, or why all was stopped. After a stop each machine finishes its
// trial, and Run can be called again.
func (f *Fleet) Run(ctx context.Context, parallel int) error {
	f.sweep()
	if err := f.Save(); err != nil { // it may have other machines now
		return err
	}
	var todo []*Host
	for _, h := range f.Hosts {
		// Through ssh it is done only when its folder there is gone, too.
		whole, err := f.standing(h)
		switch {
		case h.State == Dropped: // whatever is in the place of its results
			f.set(h, Dropped, errDropped)
		case err != nil:
			f.set(h, Failed, err)
		case whole && (f.Slurm != nil || h.State == Done):
			f.set(h, Done, nil)
		default:
			f.set(h, Waiting, nil)
			todo = append(todo, h)
		}
	}
	var err error
	if f.Slurm != nil {
		err = f.slurm(ctx, todo, parallel)
	} else {
		f.throughSSH(ctx, todo, parallel)
	}
	if ctx.Err() != nil {
		for _, h := range f.Hosts {
			if h.State != Done && h.State != Dropped && h.State != Failed {
				f.set(h, Failed, context.Cause(ctx))
			}
		}
	}
	f.share()
	if err = errors.Join(err, f.keep()); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	// To a fleet of Slurm's no machine is added. Another one's bundle stays for those that are.
	if f.Slurm != nil && f.count(Done) == len(f.Hosts) {
		os.Remove(f.BundlePath())
		os.RemoveAll(filepath.Join(f.Dir, slurmDir))
	}
	return nil
}

func (f *Fleet) throughSSH(ctx context.Context, todo []*Host, parallel int) {
	places := make(chan struct{}, parallel)
	var group sync.WaitGroup
	for _, h := range todo {
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		group.Go(func() {
			defer func() { <-places }()
			if err := f.drive(ctx, h); err != nil {
				f.set(h, Failed, err)
			} else {
				f.set(h, Done, nil)
			}
		})
	}
	group.Wait()
}

// set changes a machine's state.
func (f *Fleet) set(h *Host, state string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h.State, h.Reason, h.event = state, "", Event{}
	if err != nil {
		h.Reason = short(err.Error())
	}
}

func (f *Fleet) count(state string) (n int) {
	for _, s := range f.Statuses() {
		if s.State == state {
			n++
		}
	}
	return n
}

// Statuses are all machines, in their order.
func (f *Fleet) Statuses() []Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]Status, len(f.Hosts))
	for i, h := range f.Hosts {
		out[i] = Status{h.Name, h.State, h.Reason, h.event}
	}
	return out
}

// drive does all that there is to do on one machine. A lost connection is made again
// some times: the task there resumes.
func (f *Fleet) drive(ctx context.Context, h *Host) error {
	for try := 0; ; try++ {
		err := f.once(ctx, h)
		var lost *Failure
		if err == nil || ctx.Err() != nil || !errors.As(err, &lost) || !lost.Lost || h.State == Looking && try == 0 || try == len(pauses) {
			return err
		}
		select {
		case <-time.After(pauses[try]):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
