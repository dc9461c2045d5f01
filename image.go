package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"lab/bench/image"
)

// imageDir is the folder of the image that a user named, or of the default
// one, which is made where there is none of this lab's.
func imageDir(named, cache string) (string, error) {
	if named != "" {
		return named, nil
	}
	dir := image.DefaultDir(cache)
	if imageIsCurrent(cache) {
		return dir, nil
	}
	uid, gid := owner()
	err := makeImage(cache, uid, gid)
	if errors.Is(err, image.ErrNoBusybox) {
		return "", fmt.Errorf("%w; make setup, or apt-get install busybox-static", err)
	}
	return dir, err
}

// openImage is imageDir's with its digest.
func openImage(named, cache string) (image.Ref, error) {
	dir, err := imageDir(named, cache)
	if err != nil {
		return image.Ref{}, err
	}
	r, err := image.Open(dir)
	if named == "" {
		r.Name = "default"
	}
	return r, err
}

func (a *app) imageCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "image [DIR]",
		Short: "Show an image's digest; make the default one where it is missing",
		Long: `Show where an image is, its digest and its size: the default image's, which is
made where it is missing, or that of a folder.

The digest covers names, types, permissions, link targets and contents, and
neither owners nor times: the same tree unpacked elsewhere has the same one.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("image: one folder, not %d", len(args))
			}
			return nil
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: func(_ *cobra.Command, args []string) error {
			r, err := a.namedImage(args)
			if err != nil {
				return err
			}
			if asJSON {
				return a.printJSON(map[string]any{"name": r.Name, "dir": r.Dir, "digest": r.Digest, "size": r.Size})
			}
			_, err = fmt.Fprintf(a.stdout, "image:  %s\nfolder: %s\ndigest: %s\nsize:   %d bytes\n", r.Name, r.Dir, r.Digest, r.Size)
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (a *app) namedImage(args []string) (image.Ref, error) {
	if len(args) > 0 {
		return openImage(args[0], "")
	}
	cache, err := makeCache()
	if err != nil {
		return image.Ref{}, err
	}
	return openImage("", cache)
}

// printJSON prints v for other programs.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
