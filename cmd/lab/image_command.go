package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"lab/bench/image"
	"lab/bench/image/store"
	"lab/bench/text"
	"lab/bench/usercache"
	"lab/cmd/cli"
)

// These are the commands about images that are there already; what brings one in or
// sends one out is in image_store.go, what makes one of packages in image_build.go, and
// what puts one into a results folder in image_save.go. To list makes nothing: somebody
// who looks must not be told of an image that only exists because they looked.

// imageCommand is lab image. Without a subcommand it shows one image; those that
// bring images into the store and out of it are storeCommands.
func (a *app) imageCommand() *cobra.Command {
	var asJSON bool
	show := func(_ *cobra.Command, args []string) error {
		r, err := a.namedImage(strings.Join(args, ""))
		if err != nil {
			return err
		}
		if asJSON {
			return a.printJSON(describedImage(r))
		}
		return sayTo(a.Page, "image:  %s\nfolder: %s\ndigest: %s\nsize:   %d bytes\n", r.Name, r.Dir, r.Digest, r.Size)
	}
	oneDir := func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			if _, err := os.Stat(args[0]); err != nil && cmd.HasSubCommands() { // "pul"
				var there []string
				for _, c := range cmd.Commands() {
					there = append(there, c.Name())
				}
				return cli.NoSuch(fmt.Sprintf("unknown command %q", "image "+args[0]), args[0], there)
			}
			return cli.Usagef("image: one folder, not %d", len(args))
		}
		return nil
	}
	cmd := &cobra.Command{
		Use:  "image [IMAGE] | image import FROM [NAME] | image ls | image save DIR",
		Args: oneDir, ValidArgsFunction: completeFolders,
		RunE: show,
	}
	shown := &cobra.Command{Use: "show [IMAGE]", Args: oneDir, ValidArgsFunction: completeFolders, RunE: show}
	list := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return a.listImages(asJSON) },
	}
	cmd.PersistentFlags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.AddCommand(shown, list, a.imageSaveCommand())
	cmd.AddCommand(a.storeCommands(&asJSON)...)
	return cmd
}

// What lab image --json prints.
type describedRef struct {
	Name   string `json:"name"`
	Dir    string `json:"dir"`
	Digest string `json:"digest"`
	Size   int64  `json:"size"`
}

// describedImage is an image as JSON has it.
func describedImage(r image.Ref) describedRef { return describedRef{r.Name, r.Dir, r.Digest, r.Size} }

// namedImage is the image that was named, or the default one, which is made if it is
// missing.
func (a *app) namedImage(named string) (image.Ref, error) {
	cache, err := usercache.Make()
	if err != nil {
		return image.Ref{}, err
	}
	return openImage(named, cache)
}

// listImages lists what there is; it makes nothing.
func (a *app) listImages(asJSON bool) error {
	cache, err := usercache.Dir()
	if err != nil {
		return err
	}
	// The default image, then those that came with results folders of others, then the
	// store's.
	dirs, _ := filepath.Glob(filepath.Join(savedDir(cache), "sha256-*"))
	dirs = append([]string{image.DefaultDir(cache)}, dirs...)
	all := []describedRef{}
	var errs []error
	for _, dir := range dirs {
		r, err := image.Open(dir)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all = append(all, describedImage(r))
	}
	stored, err := store.In(cache).List()
	errs = append(errs, err)
	if asJSON {
		for _, i := range stored {
			all = append(all, describedImage(store.In(cache).Ref(i)))
		}
		return errors.Join(append(errs, a.printJSON(all))...)
	}
	for _, r := range all {
		name := r.Name
		if name != "default" {
			name = say("saved")
		}
		sayTo(a.Page, "%s %s %10d bytes  %s\n", text.Pad(name, 8), r.Digest, r.Size, r.Dir)
	}
	for _, i := range stored {
		name := strings.Join(i.Names, " ")
		if name == "" {
			name = say("unnamed")
		}
		sayTo(a.Page, "%s %s %10d bytes  %s, %d layers\n", text.Pad(name, 8), i.Digest, i.Size, i.Platform, len(i.Layers))
	}
	if len(all)+len(stored) == 0 {
		sayTo(a.Page, "none yet; lab image makes the default one\n")
	}
	return errors.Join(errs...)
}

// savedDir is where in a cache the images lie that came with a results folder.
func savedDir(cache string) string { return filepath.Join(cache, "image", "saved") }

// unpackedDir is where the one with a digest does.
func unpackedDir(cache, digest string) string {
	return filepath.Join(savedDir(cache), strings.Replace(digest, ":", "-", 1))
}

// openImage is the image that a user named, or the default one, with its digest.
func openImage(named, cache string) (image.Ref, error) {
	if named != "" {
		return store.Read(cache, named)
	}
	r, err := cli.DefaultImage(cache, true, storedImage)
	if err != nil {
		return image.Ref{}, err
	}
	if r, err = image.Open(r.Dir); err == nil {
		r.Name = "default"
	}
	return r, err
}

// printJSON prints v for other programs.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.Stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
