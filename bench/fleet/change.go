package fleet

import (
	"errors"
	"os"
	"slices"
)

// A Change is what another list of machines makes of a fleet.
type Change struct {
	Added    []string // are to be measured
	Returned []string // are again: they weren't in an earlier list, and had a part of their results
	Removed  []string // have no results here, and aren't the fleet's any more
	Kept     []string // aren't in the list, and stay for the results that are here
	Dirty    []string // of these two: the lab was there, and may have left something
}

// errDropped is why such a machine isn't asked for the rest.
var errDropped = errors.New("it is no longer in the hosts file")

// SetNames gives a fleet another list of machines. One that is in both goes on as it is.
// Of those that aren't in the list any more, one without results here leaves the fleet;
// one with results keeps them, and isn't asked for what is missing.
func (f *Fleet) SetNames(names []string) (c Change, err error) {
	if f.Slurm != nil {
		return c, errors.New("it is Slurm that finds this fleet's machines; fix: leave out --hosts")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	old := map[string]*Host{}
	for _, h := range f.Hosts {
		old[h.Folder] = h
	}
	was := f.Hosts
	f.SetHosts(names)
	for i, h := range f.Hosts {
		before := old[h.Folder]
		if before == nil {
			c.Added = append(c.Added, h.Name)
			h.Reached = slices.Contains(f.Former, h.Name)
			continue
		}
		before.Name = h.Name // the same folder: the same machine, said otherwise
		if before.State == Dropped {
			before.State = Waiting
			c.Returned = append(c.Returned, h.Name)
		}
		f.Hosts[i] = before
		delete(old, h.Folder)
	}
	for _, h := range was {
		if old[h.Folder] == nil {
			continue
		}
		some, whole := f.here(h)
		// Of one that is done nothing stays but the bundle. Only of one that was never reached
		// is it known that nothing is there.
		dirty := h.State != Done && (h.Reached || h.State != Failed && h.State != Dropped)
		if dirty {
			c.Dirty = append(c.Dirty, h.Name)
		}
		switch {
		case whole:
			h.State, h.Reason = Done, ""
		case some:
			h.State, h.Reason = Dropped, errDropped.Error()
		default:
			c.Removed = append(c.Removed, h.Name)
			if dirty {
				f.Former = append(f.Former, h.Name)
			}
			continue
		}
		c.Kept = append(c.Kept, h.Name)
		f.Hosts = append(f.Hosts, h)
	}
	f.Former = slices.DeleteFunc(f.Former, func(name string) bool { return slices.Contains(names, name) })
	return c, nil
}

// here says whether something is in the place of a machine's results, and whether all of
// them are there.
func (f *Fleet) here(h *Host) (some, whole bool) {
	whole = true
	for _, name := range f.Scenarios {
		m, err := f.there(h, name)
		some = some || m != nil || err != nil
		whole = whole && m != nil
	}
	return some, whole
}

// complete says whether no machine is to be measured any more.
func (f *Fleet) complete() bool {
	return !slices.ContainsFunc(f.Hosts, func(h *Host) bool { return h.State != Dropped && !f.hasAll(h) })
}

// LacksBundle says whether a machine is still to be measured, and the bundle is gone.
func (f *Fleet) LacksBundle() bool {
	_, err := os.Lstat(f.BundlePath())
	return err != nil && !f.complete()
}

// RemoveBundle removes the fleet's bundle, unless a machine is still to be measured.
func (f *Fleet) RemoveBundle() {
	if f.complete() {
		os.Remove(f.BundlePath())
	}
}
