//go:build !lean

package main

import (
	"crypto/rand"
	"encoding/hex"
	"strings"

	"lab/bench/image"
	"lab/bench/machine"
	"lab/bench/results"
	"lab/scenarios"
)

// newRunID makes a run's own name.
func newRunID() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// describe fills in what is known of a run before its worker starts: digests
// and the machine.
func describe(j *job) error {
	m := &j.Manifest
	m.Image = results.Digested{Name: j.Image.Name, Digest: j.Image.Digest, Size: j.Image.Size}
	nameWorkload(j)
	// What can't be told is left out; the trials are worth having without it.
	j.Machine, _ = machine.Facts("")
	return nil
}

// nameWorkload writes down which program the job's scenario starts.
func nameWorkload(j *job) {
	name := image.ReadyPath
	if sc := scenarios.Find(j.Scenario); sc != nil && sc.Workload != "" {
		name = sc.Workload
	}
	digest, size, err := image.SumFile(j.Image.Dir, strings.TrimPrefix(name, "/"))
	if err != nil {
		// Another image: what needs the program says so when it is missing.
		digest = ""
	}
	j.Manifest.Workload = results.Digested{Name: name, Digest: digest, Size: size}
}
