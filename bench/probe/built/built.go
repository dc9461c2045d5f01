// Package built holds the probe (bench/probe/program) as a file: built apart from
// the lab, and embedded, so that one file is installed and the default image is
// made from it anywhere.
//
// The folder is embedded rather than the file, as that isn't there in a fresh
// clone, where go build and go vet must work, too.
//
// It isn't linked into the program that starts fast, which would load it at every start.
package built

import (
	"embed"
	"errors"
	"io/fs"
	"runtime"
)

//go:generate env CGO_ENABLED=0 GOOS=linux GOARCH=amd64 go build -trimpath -buildvcs=false -ldflags "-s -w" -o bin/probe-amd64 lab/bench/probe/program
//go:embed bin
var bin embed.FS

// ErrNone is returned where the lab was built without the probe.
var ErrNone = errors.New("this lab was built without its probe; fix: make build")

// Probe is the executable for this machine's architecture.
func Probe() ([]byte, error) {
	b, err := bin.ReadFile("bin/probe-" + runtime.GOARCH)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNone
	}
	return b, err
}
