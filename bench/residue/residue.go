// Package residue says what is on a machine: before and after, and what of it is
// the lab's.
//
// A [Snapshot] is a list of the kernel's objects and of files that a lab may leave:
// processes, mounts, namespaces, network devices and addresses, nftables' tables,
// sysctls, cgroup folders, libvirt's domains and networks, loop devices, shared
// memory, files in the lab's own folders, and the owner and mode of each device
// file. Two of them differ in what was made, is gone or was changed.
//
// Others live on the machine as well. What bears the lab's mark is its own; of the
// rest some kinds come and go by themselves (processes), and some stand still on a
// machine that nobody works on (mounts, sysctls): see [Difference.Counts].
//
// It only looks, and changes nothing.
package residue

import (
	"cmp"
	"slices"
	"strings"
)

// A Kind is a kind of object.
type Kind string

const (
	Process   Kind = "process"
	Mount     Kind = "mount"
	Namespace Kind = "namespace"
	Link      Kind = "network device"
	Address   Kind = "address"
	Table     Kind = "nftables table"
	Sysctl    Kind = "sysctl"
	Cgroup    Kind = "cgroup"
	Domain    Kind = "libvirt domain"
	Network   Kind = "libvirt network"
	Loop      Kind = "loop device"
	Shared    Kind = "shared memory"
	File      Kind = "file"
	Device    Kind = "device file"
)

// still are the kinds that stand still where nobody works: a difference counts
// though nothing tells whose it is.
var still = []Kind{Mount, Link, Address, Table, Sysctl, Domain, Network, Loop, Device}

// An Item is one object. Two with one kind and name are the same object, in which
// only Detail may have changed.
type Item struct {
	Kind   Kind   `json:"kind"`
	Name   string `json:"name"`
	Detail string `json:"detail,omitempty"`

	// Ours says that the lab made it; Used, that whoever made it is alive.
	Ours bool `json:"ours,omitempty"`
	Used bool `json:"used,omitempty"`

	// Others says that it is of a kind of somebody else's, Docker's for instance.
	Others bool `json:"others,omitempty"`
}

func (i Item) String() string {
	s := string(i.Kind) + " " + i.Name
	if i.Detail != "" {
		s += " (" + i.Detail + ")"
	}
	return s
}

// A Snapshot is all that was seen, in order.
type Snapshot struct {
	Items []Item `json:"items"`
	// Unseen are the kinds that couldn't be looked at, with the reason.
	Unseen map[Kind]string `json:"unseen,omitempty"`
}

// Left lists what is the lab's, and whose maker is dead.
func (s Snapshot) Left() []Item { return s.ours(false) }

// Used lists what is the lab's, and in use.
func (s Snapshot) Used() []Item { return s.ours(true) }

// ours are those that the lab made; never nil, as JSON has them.
func (s Snapshot) ours(used bool) []Item {
	out := []Item{}
	for _, i := range s.Items {
		if i.Ours && i.Used == used {
			out = append(out, i)
		}
	}
	return out
}

// A Change is how an object differs between two snapshots.
type Change string

const (
	Made    Change = "new"
	Gone    Change = "gone"
	Changed Change = "changed"
)

// A Difference is an object that two snapshots don't have alike.
type Difference struct {
	Change Change `json:"change"`
	Item   Item   `json:"item"`             // as it is; of what is gone, as it was
	Before string `json:"before,omitempty"` // Detail, where it changed
	Counts bool   `json:"counts"`           // it may be the lab's doing
}

func (d Difference) String() string {
	s := string(d.Change) + " " + d.Item.String()
	if d.Change == Changed {
		s += ", was (" + d.Before + ")"
	}
	return s
}

// Since lists what differs from an earlier snapshot, what counts first. A kind that
// one of the two couldn't look at is left out.
func (s Snapshot) Since(before Snapshot) (out []Difference) {
	type key struct {
		kind Kind
		name string
	}
	was := map[key]Item{}
	for _, i := range before.Items {
		was[key{i.Kind, i.Name}] = i
	}
	add := func(c Change, i Item, old string) {
		if before.Unseen[i.Kind] == "" && s.Unseen[i.Kind] == "" {
			out = append(out, Difference{c, i, old, counts(c, i)})
		}
	}
	for _, i := range s.Items {
		k := key{i.Kind, i.Name}
		old, ok := was[k]
		delete(was, k)
		switch {
		case !ok:
			add(Made, i, "")
		case old.Detail != i.Detail:
			add(Changed, i, old.Detail)
		}
	}
	for _, i := range was {
		add(Gone, i, "")
	}
	slices.SortStableFunc(out, func(a, b Difference) int {
		if a.Counts != b.Counts {
			return map[bool]int{true: -1, false: 1}[a.Counts]
		}
		return cmp.Or(strings.Compare(string(a.Item.Kind), string(b.Item.Kind)), strings.Compare(a.Item.Name, b.Item.Name))
	})
	return out
}

// counts says whether a difference may be the lab's doing: it bears the lab's mark
// and nobody uses it, or is of a kind that stands still and of nobody else's.
func counts(c Change, i Item) bool {
	switch {
	case i.Used:
		return false
	case i.Ours:
		return c != Gone // somebody has cleaned up
	case i.Kind == Device:
		return c == Changed // udev makes and removes them
	case i.Kind == Sysctl && c == Made:
		return false // nobody makes one: a module brings it, which the kernel loads by itself
	}
	return !i.Others && slices.Contains(still, i.Kind)
}
