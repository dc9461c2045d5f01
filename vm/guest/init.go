package guest

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
//go:generate env CGO_ENABLED=0 GOOS=linux GOARCH=amd64 go build -trimpath -buildvcs=false -ldflags "-s -w" -o init/init-amd64 lab/bench/probe/guestinit
//go:embed init
var built embed.FS

// errNoInit is returned where the lab was built without the guest's init.
var errNoInit = errors.New("this lab was built without the guest's init")

// Init is the guest's init. A variable for the tests alone.
var Init = func() ([]byte, error) {
	b, err := built.ReadFile("init/init-" + runtime.GOARCH)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNoInit
	}
	return b, err
}
