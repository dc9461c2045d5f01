//go:build !lean

package main

import (
	"fmt"

	"lab/bench/machine"
	"lab/bench/runs"
	"lab/bench/testbed"
	"lab/bench/usercache"
)

// begin takes the machine for itself and fills in what all jobs of this call
// have in common: command line, cache, image, digests, machine. end gives the
// machine back. The image is the one named, or the lab's own.
func (a *app) begin(j *runs.Job, named string) (lock *testbed.Lock, end func(), err error) {
	j.Manifest.Command = withoutHost(a.args[1:])
	if lock, err = testbed.Acquire(true); err != nil {
		return nil, nil, err
	}
	end = func() {
		if err := usercache.Give(j.Cache); err != nil {
			fmt.Fprintln(a.stderr, "lab: cache folder:", err)
		}
		lock.Release()
	}
	defer func() {
		if err != nil {
			lock.Release()
		}
	}()
	if j.Cache, err = usercache.Make(); err != nil {
		return nil, nil, err
	}
	sweepHalfMade(j.Cache)
	if j.Image, err = openImage(named, j.Cache); err != nil {
		return nil, nil, &statusError{statusNothing, err}
	}
	j.Describe(parts)
	// What can't be told is left out; the trials are worth having without it.
	j.Machine, _ = machine.Facts("")
	return lock, end, nil
}
