package fleet

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Remains are what a fleet left on a machine.
type Remains struct {
	Host string
	Away map[string]int // trials that aren't here, by scenario
	Err  error
}

// Machines are all on which the fleet may have left something.
func (f *Fleet) Machines() (names []string) {
	for _, h := range f.Hosts {
		names = append(names, h.Name)
	}
	return append(names, f.Former...)
}

// Remains asks machines what the fleet left there.
func (f *Fleet) Remains(ctx context.Context, hosts []string, parallel int) []Remains {
	out := make([]Remains, len(hosts))
	each(hosts, parallel, func(i int, name string) {
		within, cancel := context.WithTimeout(ctx, lookWithin)
		defer cancel()
		text, err := step(within, name, nil, "left", f.ID)
		r := Remains{Host: name, Away: map[string]int{}, Err: err}
		for line := range strings.Lines(text) {
			scenario, count, _ := strings.Cut(strings.TrimSpace(line), "=")
			n, err := strconv.Atoi(count)
			if err != nil || n == 0 || !slices.Contains(f.Scenarios, scenario) {
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

// Discard removes from machines what the fleet left there, results too, and the lab's
// folder unless another fleet's results are in it. It returns what went wrong where, and
// those where something of another fleet stays.
func (f *Fleet) Discard(ctx context.Context, hosts []string, parallel int) (failed map[string]error, others []string) {
	failed = map[string]error{}
	var mu sync.Mutex
	each(hosts, parallel, func(_ int, name string) {
		within, cancel := context.WithTimeout(ctx, 2*lookWithin)
		defer cancel()
		text, err := step(within, name, nil, "discard", f.ID)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err != nil:
			failed[name] = err
			return
		case strings.Contains(text, "other=yes"):
			others = append(others, name)
		}
		f.Former = slices.DeleteFunc(f.Former, func(former string) bool { return former == name })
	})
	slices.Sort(others)
	return failed, others
}

// Clean removes the lab's folder from each machine, whatever fleet it was for, and returns
// what went wrong where.
func Clean(ctx context.Context, hosts []string, parallel int) map[string]error {
	out := map[string]error{}
	var mu sync.Mutex
	each(hosts, parallel, func(_ int, name string) {
		within, cancel := context.WithTimeout(ctx, 2*lookWithin)
		defer cancel()
		if _, err := step(within, name, nil, "clean"); err != nil {
			mu.Lock()
			defer mu.Unlock()
			out[name] = err
		}
	})
	return out
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
