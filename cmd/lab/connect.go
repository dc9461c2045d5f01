package main

import (
	"slices"
	"strings"

	"lab/cmd/cli"
	"lab/vm/client"
)

// With --connect a virtual machine is made by somebody else's libvirt. Its
// connections are the supervisor's, which has the machine's network and the
// user's keys; the worker gets their descriptors.

// reach reads a URI and connects once, so that what is wrong is said before
// anything was begun.
func reach(uri string) (*client.Target, error) {
	t, err := client.ParseTarget(uri)
	if err != nil {
		return nil, cli.Usagef("--%w", err)
	}
	c, err := t.Dial()
	if err != nil {
		return nil, err
	}
	return t, c.Close()
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
		if t, err := client.ParseTarget(uri); err == nil {
			out[i] = prefix + t.Name
		}
	}
	return out
}
