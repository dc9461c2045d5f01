// Package testbed is the private corner of this machine in which all instances
// of a run live and die: namespaces, a bridge, a cgroup subtree, a lock, a tag.
package testbed

import (
	"os"

	"lab/bench/cgroup"
)

// A Testbed is where instances are made. It is made by Open in the worker (or,
// for lab exec, in the command's own process) and handed to environments.
type Testbed struct {
	ID    string // 8 hex digits, in the name and tag of all that it makes
	Dir   string // a private folder on tmpfs: sockets, overlay layers, small files
	Cache string // the user's cache folder, kept between runs: guest kernel, images, probes' verdicts

	Cgroups *cgroup.Tree // nil where this machine has no usable cgroup hierarchy
	// Log makes a file in the results folder's logs/ (in lab exec: in Dir).
	Log func(name string) (*os.File, error)
}
