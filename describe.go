//go:build !lean

package main

import (
	"crypto/rand"
	"encoding/hex"
	"path/filepath"

	"lab/bench/image"
	"lab/bench/machine"
	"lab/bench/results"
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
	prog := filepath.Join(j.Image.Dir, image.ReadyPath)
	digest, size, err := image.SumFile(prog)
	if err != nil {
		// Another image: what needs the program says so when it is missing.
		digest = ""
	}
	// What can't be told is left out; the trials are worth having without it.
	j.Machine, _ = machine.Facts("")
	m.Workload = results.Digested{Name: image.ReadyPath, Digest: digest, Size: size}
	return nil
}
