package fleet

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// A Boot is one start of a machine's kernel, and from when until when, by this machine's
// clock, it certainly ran: from the end of the step that saw it first until the beginning
// of the one that saw it last.
type Boot struct {
	ID    string    `json:"id"`
	From  time.Time `json:"from"`
	Until time.Time `json:"until"`
}

// bootID is how the kernel writes random/boot_id.
var bootID = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// saw remembers in which boot a machine was, that a step asked between begin and end.
func (f *Fleet) saw(h *Host, id string, begin, end time.Time) {
	if id = strings.TrimSpace(id); !bootID.MatchString(id) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if h.Boot != nil && h.Boot.ID == id {
		h.Boot.Until = begin
	} else {
		h.Boot = &Boot{ID: id, From: end, Until: begin}
	}
}

// apart says whether two boots are of two machines: no machine is in two at once.
func (b *Boot) apart(o *Boot) bool {
	if b == nil || o == nil || b.ID == o.ID || b.From.After(b.Until) || o.From.After(o.Until) {
		return false
	}
	return !b.From.After(o.Until) && !o.From.After(b.Until)
}

// first is the first host that was seen in the same boot as h: by whatever names it is
// asked, that is one machine.
func (f *Fleet) first(h *Host) *Host {
	if h.Boot != nil {
		for _, o := range f.Hosts {
			if o.Boot != nil && o.Boot.ID == h.Boot.ID {
				return o
			}
		}
	}
	return h
}

// Same are hosts whose results have one machine id.
type Same struct {
	Names []string
	Apart bool // two of them were seen to be two machines: the id was copied, and tells nothing
	Once  bool // they were seen in one boot: one machine with several names
}

// SameMachines are the hosts whose results have one machine id. Of those that are one
// machine by their boot the first stands for all next to others.
func (f *Fleet) SameMachines() (out []Same) {
	ids, by := f.byMachine()
	for _, id := range ids {
		var firsts []string
		of := map[string][]string{}
		for _, h := range by[id] {
			first := f.first(h).Name
			if of[first] == nil {
				firsts = append(firsts, first)
			}
			of[first] = append(of[first], h.Name)
		}
		for _, first := range firsts {
			if len(of[first]) > 1 {
				out = append(out, Same{Names: of[first], Once: true})
			}
		}
		if len(firsts) > 1 {
			out = append(out, Same{Names: firsts, Apart: slices.Contains(f.Shared, id)})
		}
	}
	return out
}

// byMachine are the hosts by the machine id that their results have.
func (f *Fleet) byMachine() (ids []string, by map[string][]*Host) {
	by = map[string][]*Host{}
	for _, h := range f.Hosts {
		if h.machine == "" {
			continue
		}
		if by[h.machine] == nil {
			ids = append(ids, h.machine)
		}
		by[h.machine] = append(by[h.machine], h)
	}
	return ids, by
}

// share notes which machine ids several machines have. It stays noted: at a later start not
// all of them are seen again.
func (f *Fleet) share() {
	ids, by := f.byMachine()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, id := range ids {
		several := slices.ContainsFunc(by[id], func(h *Host) bool {
			return slices.ContainsFunc(by[id], func(o *Host) bool { return h.Boot.apart(o.Boot) })
		})
		if several && !slices.Contains(f.Shared, id) {
			f.Shared = append(f.Shared, id)
		}
	}
}
