package main

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"lab/bench/fleet"
	"lab/bench/owner"
	"lab/bench/usercache"
	"lab/cmd/cli"
	"lab/reports/msg"
	"lab/vm/kernel"
)

// A bundle is for a machine without Go and without a network: the two programs, the
// guest kernel, a busybox, and a cache folder beside them that they find by themselves
// (usercache.Beside). What it has in it is decided by package fleet, which sends the
// same parts to each machine of a fleet: that way a bundle that somebody carried there
// measures what a fleet's machine measures.

// bundleCommand is lab bundle: this lab, with all that another machine needs, as one
// file.
func (a *app) bundleCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:  "bundle",
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			if file == "" {
				file = bundleName() + ".tar.gz"
			}
			digest, size, err := a.bundle(file)
			if err != nil {
				return err
			}
			return tell(a.Page, "%s: %s, sha256:%s\nthere: tar xzf %s && cd %s && sudo ./lab run startup\n",
				file, msg.Quantity(float64(size), "B"), digest, filepath.Base(file), bundleName())
		},
	}
	cmd.Flags().StringVarP(&file, "output", "o", "", "`FILE` archive (default: lab-<version>-linux-<processor>.tar.gz)")
	return cmd
}

// bundleName is the folder that a bundle unpacks to: this lab's version and processor.
func bundleName() string {
	return "lab-" + strings.ReplaceAll(cli.Version(), "/", "-") + "-linux-" + runtime.GOARCH
}

// bundle writes this lab's bundle into a file, and returns its digest and size.
func (a *app) bundle(file string) (digest string, size int64, err error) {
	self, err := os.Executable()
	if err == nil {
		self, err = filepath.EvalSymlinks(self)
	}
	if err != nil {
		return "", 0, err
	}
	cache, err := usercache.Dir()
	if err != nil {
		return "", 0, err
	}
	k, err := kernel.Newest(cache)
	if errors.Is(err, kernel.ErrNone) {
		a.note(say("the bundle has no guest kernel: virtual machines won't run from it; fix: make setup"))
	} else if err != nil {
		return "", 0, err
	}
	parts, err := fleet.Parts(filepath.Dir(self), cache, k.Image, k.Modules)
	if err != nil {
		return "", 0, err
	}
	uid, gid := owner.IDs()
	return fleet.SaveBundle(file, bundleName(), parts, uid, gid)
}
