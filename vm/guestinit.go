package vm

import (
	"embed"
	"errors"
	"io/fs"
	"runtime"
)

// The init is built apart from the lab and embedded: one file is installed, and
// it works from anywhere. The folder is embedded rather than the file, as that
// isn't there in a fresh clone, where go build and go vet must work, too.
//
//go:generate env CGO_ENABLED=0 GOOS=linux GOARCH=amd64 go build -trimpath -buildvcs=false -ldflags "-s -w" -o guest/init-amd64 lab/bench/probe/guestinit
//go:embed guest
var guest embed.FS

// errNoInit is returned where the lab was built without the guest's init.
var errNoInit = errors.New("this lab was built without the guest's init")

// guestInit is the guest's init. A variable for the tests alone.
var guestInit = func() ([]byte, error) {
	b, err := guest.ReadFile("guest/init-" + runtime.GOARCH)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNoInit
	}
	return b, err
}
