package main

import (
	"errors"
	"slices"
	"strings"

	"lab/bench/machine"
	"lab/bench/runs"
	"lab/bench/testbed"
	"lab/bench/usercache"
	"lab/cmd/cli"
	"lab/vm/client"
)

// begin takes the machine for itself and fills in what all jobs of this call
// have in common: command line, cache, image, digests, machine. end gives the
// machine back; after an error it is given back already. The image is the one
// asked for, or the lab's own.
func (a *app) begin(j *runs.Job) (*testbed.Lock, func(), error) {
	j.Manifest.Command = withoutHost(a.Args[1:])
	if err := cli.Tight(true); err != nil {
		return nil, nil, cli.Exit(cli.StatusNothing, err)
	}
	// Alone: another run, or a command of lab exec, would be measured as well.
	lock, err := a.Acquire(true, nil)
	if err != nil {
		return nil, nil, err
	}
	if err := furnish(j); err != nil {
		return nil, nil, cli.Exit(cli.StatusNothing, errors.Join(err, lock.Release()))
	}
	// What root made in the user's cache is given to the user, whatever happened.
	return lock, func() {
		if err := usercache.Give(j.Cache); err != nil {
			a.note(say("cache folder: %v", err))
		}
		lock.Release()
	}, nil
}

// furnish fills in a job's cache and image, and what is known before the start.
func furnish(j *runs.Job) (err error) {
	if j.Cache, err = usercache.Make(); err != nil {
		return err
	}
	sweepHalfMade(j.Cache)
	if j.Image, err = openImage(j.Options.Image, j.Cache); err != nil {
		return err
	}
	j.Describe(parts)
	// What can't be told is left out; the trials are worth having without it.
	j.Machine, _ = machine.Facts("")
	return nil
}

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
	// Both spellings of the flag: --connect URI and --connect=URI.
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
