package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"lab/bench/image/debian"
	"lab/bench/image/oci"
	"lab/bench/image/store"
	"lab/cmd/cli"
)

// To build is left to Debian's own programs (mmdebstrap or debootstrap, see
// bench/image/debian): a package manager of the lab's would be one more that nobody has
// checked. What the command adds is that the same packages give the same digest, and
// that the result goes into the store by the same door as an image from elsewhere
// (oci.Import), with the checks that all of those pass.

// buildCommand is lab image build, which makes an image of packages.
func (a *app) buildCommand(asJSON *bool) *cobra.Command {
	var packages []string
	var o oci.Options
	cmd := &cobra.Command{
		Use: "build debian --packages NAME,…",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || args[0] != "debian" {
				return cli.Usagef("image build: of what? there is: lab image build debian --packages NAME,…")
			}
			if len(packages) == 0 {
				return cli.Usagef("image build: which packages? for example --packages nginx")
			}
			if err := debian.Packages(packages); err != nil {
				return cli.Usagef("--packages: %w", err)
			}
			return nil
		},
		RunE: func(*cobra.Command, []string) error {
			if o.Name == "" {
				o.Name = strings.ReplaceAll(strings.Join(packages, "-"), "+", "")
			}
			if err := store.CheckName(o.Name); err != nil {
				return cli.Usagef("--name: %w", err)
			}
			return a.bringImage(*asJSON, func(ctx context.Context, w *store.Writer) (i store.Image, err error) {
				// Beside the store and not in /tmp, which may be small, or a mount that
				// allows no devices.
				dir, err := w.Folder()
				if err == nil {
					err = debian.Make(ctx, dir, packages)
				}
				if err != nil {
					return i, fmt.Errorf("image build: %w", err)
				}
				return oci.Import(ctx, w, dir, o)
			})
		},
	}
	cmd.Flags().StringSliceVar(&packages, "packages", nil, "`NAME,…` packages, with what they need")
	cmd.Flags().StringVar(&o.Name, "name", "", "`NAME` keep it under that name (default: the packages' names)")
	return cmd
}
