//go:build !lean

package main

import (
	"net"
	"os"
	"slices"
	"strings"

	"lab/bench"
	"lab/vm"
)

// With --connect a virtual machine is made by somebody else's libvirt. Its
// connections are the supervisor's, which has the machine's network and the
// user's keys; the worker gets their descriptors.

// A connector is an environment that can use a foreign libvirt.
type connector interface {
	Connect(name, driver string, dial func() (net.Conn, error))
}

// connectJob is what the worker is told of it: no host and no user.
type connectJob struct{ Name, Driver string }

// reach reads a URI and connects once, so that what is wrong is said before
// anything was begun.
func reach(uri string) (*vm.Target, error) {
	t, err := vm.ParseTarget(uri)
	if err != nil {
		return nil, usagef("--%w", err)
	}
	c, err := t.Dial()
	if err != nil {
		return nil, err
	}
	return t, c.Close()
}

// link makes the worker's way to a foreign libvirt: its end is theirs.
func link(t *vm.Target) (theirs *os.File, end func(), err error) {
	ours, theirs, err := vm.Passage()
	if err != nil {
		return nil, nil, err
	}
	go vm.Serve(ours, t.Dial)
	return theirs, func() { ours.Close() }, nil
}

// join connects the environments that can, in the worker.
func (j *connectJob) join(envs []bench.Environment, passage uintptr) error {
	if j == nil {
		return nil
	}
	dial, err := vm.Through(os.NewFile(passage, "passage"))
	if err != nil {
		return err
	}
	for _, e := range envs {
		if c, ok := e.(connector); ok {
			c.Connect(j.Name, j.Driver, dial)
		}
	}
	return nil
}

// withoutHost is a command line as results may have it: of a libvirt's URI
// without host and user.
func withoutHost(args []string) []string {
	out := slices.Clone(args)
	for i := range out {
		uri, ok := strings.CutPrefix(out[i], "--connect=")
		prefix := "--connect="
		if !ok && i > 0 && out[i-1] == "--connect" {
			uri, ok, prefix = out[i], true, ""
		}
		if !ok {
			continue
		}
		if t, err := vm.ParseTarget(uri); err == nil {
			out[i] = prefix + t.Name
		}
	}
	return out
}
