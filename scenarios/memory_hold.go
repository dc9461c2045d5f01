package scenarios

import (
	"context"
	"fmt"

	"lab/bench"
	"lab/bench/probe/line"
)

// A holder is one instance that holds memory.
type holder struct {
	i    bench.Instance
	p    *bench.Probe
	says map[string]float64 // what its own kernel sees
	held chan struct{}      // it has all that it asked for
	done chan error
}

func memoryTrial(ctx context.Context, t *bench.T, c bench.Cell) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	held := memorySize(c.Quick)
	args := []string{"memory", fmt.Sprint("anon=", held), fmt.Sprint("file=", held)}
	if c.Work {
		place, err := t.Place(ctx)
		if err != nil {
			return err
		}
		args = append(args, "dir="+place)
	}
	before, err := bench.HostMemory()
	if err != nil {
		return err
	}
	release := make(chan struct{})
	var all []*holder
	for range c.N {
		h, err := hold(ctx, t, args, release)
		if err != nil {
			return err
		}
		defer h.p.Close()
		all = append(all, h)
	}
	for _, h := range all {
		select {
		case <-h.held:
		case err := <-h.done:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := recordViews(t, c, all, held, before); err != nil {
		return err
	}
	close(release)
	for _, h := range all {
		if err := <-h.done; err != nil {
			return err
		}
		if err := t.Close(h.i); err != nil {
			return err
		}
	}
	return nil
}

// hold starts one instance.
func hold(ctx context.Context, t *bench.T, args []string, release chan struct{}) (*holder, error) {
	p, err := bench.NewProbe()
	if err != nil {
		return nil, err
	}
	h := &holder{p: p, says: map[string]float64{}, held: make(chan struct{}), done: make(chan error, 1)}
	if h.i, err = t.Prepare(ctx, t.Spec(p.Command(args...))); err == nil {
		err = h.i.Start(ctx)
	}
	if err != nil {
		p.Close()
		return nil, err
	}
	p.Listen(h.i.Ready())
	go func() {
		h.done <- p.Talk(ctx, func(x bench.Heard) error {
			switch {
			case x.Kind == line.Fact:
				for _, kv := range x.Pairs {
					if v, ok := x.Float(kv.Key); ok {
						h.says[kv.Key] = v
					}
				}
			case x.Kind == line.Begin && x.Name == "hold":
				close(h.held)
				select {
				case <-release:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return nil
		})
	}()
	return h, nil
}
