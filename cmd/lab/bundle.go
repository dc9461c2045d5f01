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
	var deb bool
	cmd := &cobra.Command{
		Use:  "bundle",
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			if deb {
				if file == "" {
					file = "lab_" + fleet.DebianVersion(cli.Version()) + "_" + runtime.GOARCH + ".deb"
				}
				digest, size, err := a.deb(file)
				if err != nil {
					return err
				}
				return sayTo(a.Page, "%s: %s, sha256:%s\nthere: sudo dpkg -i %s && sudo lab run startup\n", file, msg.Quantity(float64(size), "B"), digest, filepath.Base(file))
			}
			if file == "" {
				file = bundleName() + ".tar.gz"
			}
			digest, size, err := a.bundle(file)
			if err != nil {
				return err
			}
			return sayTo(a.Page, "%s: %s, sha256:%s\nthere, type:\n     tar xzf %s && cd %s && sudo ./lab run startup\n",
				file, msg.Quantity(float64(size), "B"), digest, filepath.Base(file), bundleName())
		},
	}
	cmd.Flags().BoolVar(&deb, "deb", false, "a Debian package instead of an archive")
	cmd.Flags().StringVarP(&file, "output", "o", "", "`FILE` archive (default: lab-<version>-linux-<processor>.tar.gz)")
	return cmd
}

// bundleName is the folder that a bundle unpacks to: this lab's version and processor.
func bundleName() string {
	return "lab-" + strings.ReplaceAll(cli.Version(), "/", "-") + "-linux-" + runtime.GOARCH
}

// bundle writes this lab's bundle into a file, and returns its digest and size.
func (a *app) bundle(file string) (digest string, size int64, err error) {
	parts, err := a.parts()
	if err != nil {
		return "", 0, err
	}
	uid, gid := owner.IDs()
	return fleet.SaveBundle(file, bundleName(), parts, uid, gid)
}

// deb writes the same as a Debian package.
func (a *app) deb(file string) (digest string, size int64, err error) {
	parts, err := a.parts()
	if err != nil {
		return "", 0, err
	}
	uid, gid := owner.IDs()
	x := fleet.Package{Version: cli.Version(), Machine: runtime.GOARCH, Recommends: strings.ReplaceAll(usercache.GuestPackages, " ", ", ")}
	return fleet.SaveDeb(file, x, parts, uid, gid)
}

// parts are what a bundle of this lab has.
func (a *app) parts() ([]fleet.Part, error) {
	self, err := os.Executable()
	if err == nil {
		self, err = filepath.EvalSymlinks(self)
	}
	if err != nil {
		return nil, err
	}
	cache, err := usercache.Dir()
	if err != nil {
		return nil, err
	}
	k, err := kernel.Newest(cache)
	if errors.Is(err, kernel.ErrNone) {
		a.note(say("the bundle has no guest kernel: virtual machines won't run from it; fix: make setup"))
	} else if err != nil {
		return nil, err
	}
	return fleet.Parts(filepath.Dir(self), cache, k.Image, k.Modules)
}
