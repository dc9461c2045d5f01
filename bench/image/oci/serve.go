package oci

import (
	"io"
	"log"
	"net"
	"net/http"

	"github.com/google/go-containerregistry/pkg/registry"
)

// Serve is a registry at a free port of the loopback device, in the network namespace
// that the process lives in, with its blobs in a folder. It serves until it is closed.
func Serve(dir string) (addr string, stop func() error, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	s := &http.Server{Handler: registry.New(registry.WithBlobHandler(registry.NewDiskBlobHandler(dir)), registry.Logger(log.New(io.Discard, "", 0)))}
	go s.Serve(l)
	return l.Addr().String(), s.Close, nil
}
