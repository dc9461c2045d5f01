//go:build !lean

package main

import (
	"fmt"

	"lab/bench/testbed"
)

// begin takes the machine for itself and fills in what all jobs of this call
// have in common: command line, cache, image, digests, machine. end gives the
// machine back. The image is the one named, or the lab's own.
func (a *app) begin(j *job, named string) (lock *testbed.Lock, end func(), err error) {
	j.Manifest.Command = withoutHost(a.args[1:])
	if lock, err = testbed.Acquire(true); err != nil {
		return nil, nil, err
	}
	end = func() {
		if err := giveCache(j.Cache); err != nil {
			fmt.Fprintln(a.stderr, "lab: cache folder:", err)
		}
		lock.Release()
	}
	defer func() {
		if err != nil {
			lock.Release()
		}
	}()
	if j.Cache, err = makeCache(); err != nil {
		return nil, nil, err
	}
	sweepHalfMade(j.Cache)
	if j.Image, err = openImage(named, j.Cache); err != nil {
		return nil, nil, &statusError{statusNothing, err}
	}
	return lock, end, describe(j)
}
