package fleet

import (
	"cmp"
	"context"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Remains are what a fleet left on a machine.
type Remains struct {
	Host string
	Away map[string]int // trials that aren't here, by scenario; warm-ups aren't counted
	Err  error
}

// Machines are all on which the fleet may have left something: one that never answered
// isn't among them.
func (f *Fleet) Machines() (names []string) {
	for _, h := range f.Hosts {
		if h.Reached || h.State != Failed {
			names = append(names, h.Name)
		}
	}
	return append(names, f.Former...)
}

// Remains asks machines what the fleet left there.
func (f *Fleet) Remains(ctx context.Context, hosts []string, parallel int) []Remains {
	out := make([]Remains, len(hosts))
	each(hosts, parallel, func(i int, name string) {
		within, cancel := context.WithTimeout(ctx, lookWithin)
		defer cancel()
		text, err := f.tidy(within, name, "left", f.ID)
		r := Remains{Host: name, Away: map[string]int{}, Err: err}
		for line := range strings.Lines(text) {
			scenario, count, _ := strings.Cut(strings.TrimSpace(line), "=")
			n, err := strconv.Atoi(count)
			if err != nil || n < 1 || !slices.Contains(f.Scenarios, scenario) {
				continue
			}
			if m, _ := f.there(&Host{Folder: folderOf(name)}, scenario); m == nil {
				r.Away[scenario] = n
			}
		}
		out[i] = r
	})
	return out
}

// Scenarios are those of which trials aren't here, sorted.
func (r *Remains) Scenarios() []string { return slices.Sorted(maps.Keys(r.Away)) }

// tidy runs a step on a machine of the fleet, ssh's or a node of Slurm's, in the folder
// that a task had there.
func (f *Fleet) tidy(ctx context.Context, name string, words ...string) (string, error) {
	var from string
	if f.Slurm != nil {
		from = cmp.Or(os.Getenv(folderVariable), f.Slurm.Folder)
	}
	return stepIn(ctx, from, name, nil, words...)
}

// Removed is what became of machines from which something was to be removed.
type Removed struct {
	Failed  map[string]error // what went wrong where
	Others  []string         // where something of another fleet stays
	Nothing int              // machines on which nothing was
}

// Discard removes from machines what the fleet left there, results too, and the lab's
// folder unless something of another fleet is in it.
func (f *Fleet) Discard(ctx context.Context, hosts []string, parallel int) Removed {
	words := []string{"discard", f.ID}
	if f.Slurm != nil {
		words = append(words, "slurm")
	}
	r := removed(ctx, hosts, parallel, func(ctx context.Context, name string) (string, error) { return f.tidy(ctx, name, words...) })
	for _, name := range hosts {
		if r.Failed[name] != nil {
			continue
		}
		f.Former = slices.DeleteFunc(f.Former, func(former string) bool { return former == name })
		for _, h := range f.Hosts {
			h.Reached = h.Reached && h.Name != name
		}
	}
	return r
}

// add notes what a machine said.
func (r *Removed) add(name, text string, err error) {
	switch {
	case err != nil:
		r.Failed[name] = err
	case strings.Contains(text, "other=yes"):
		r.Others = append(r.Others, name)
	case strings.Contains(text, "nothing=yes"):
		r.Nothing++
	}
}

// Clean removes the lab's folder from each machine, whatever fleet it was for.
func Clean(ctx context.Context, hosts []string, parallel int) Removed {
	return removed(ctx, hosts, parallel, func(ctx context.Context, name string) (string, error) { return step(ctx, name, nil, "clean") })
}

// removed has a step done on each of some machines that removes something there.
func removed(ctx context.Context, hosts []string, parallel int, do func(context.Context, string) (string, error)) Removed {
	r := Removed{Failed: map[string]error{}}
	var mu sync.Mutex
	each(hosts, parallel, func(_ int, name string) {
		within, cancel := context.WithTimeout(ctx, 2*lookWithin)
		defer cancel()
		text, err := do(within, name)
		mu.Lock()
		defer mu.Unlock()
		r.add(name, text, err)
	})
	slices.Sort(r.Others)
	return r
}

// each calls do for each of some machines, so many at a time.
func each(hosts []string, parallel int, do func(i int, name string)) {
	var group sync.WaitGroup
	places := make(chan struct{}, parallel)
	for i, name := range hosts {
		places <- struct{}{}
		group.Go(func() {
			defer func() { <-places }()
			do(i, name)
		})
	}
	group.Wait()
}
