package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"lab/bench/image/oci"
	"lab/bench/image/store"
	"lab/bench/owner"
	"lab/bench/text"
	"lab/bench/usercache"
	"lab/cmd/cli"
)

// An image has several homes. A folder of files may be anybody's, named by its path. The
// store keeps images as registries have them, layers and all, by their digests; it is
// root's, as their files belong to users of the image's own. The default image is made of
// busybox and the lab's own programs. And with a results folder may come a copy of the
// image that ran (image_save.go). Whatever it came from, an environment gets a folder and
// its digest: image.Ref.

// storeCommands are those of lab image that are about the store.
func (a *app) storeCommands(asJSON *bool) []*cobra.Command {
	// The flags of all subcommands write to the same options: one command runs in a
	// process.
	o := oci.Options{Stdin: a.Stdin}
	flags := func(cmd *cobra.Command, names ...string) *cobra.Command {
		for _, n := range names {
			switch n {
			case "ref":
				cmd.Flags().StringVar(&o.Ref, n, "", "`NAME` choose the image of that name, if there are several")
			case "platform":
				cmd.Flags().StringVar(&o.Platform, n, "", "`OS/ARCH` such as linux/arm64 (default: this machine's)")
			case "insecure":
				cmd.Flags().BoolVar(&o.Insecure, n, false, "speak to the registry without encryption")
			}
		}
		return cmd
	}
	return []*cobra.Command{
		flags(&cobra.Command{
			Use:  "import FROM [NAME]",
			Args: words("import", 1, 2),
			RunE: func(_ *cobra.Command, args []string) error {
				o.Name = strings.Join(args[1:], "")
				return a.bringImage(*asJSON, func(ctx context.Context, w *store.Writer) (store.Image, error) {
					return oci.Import(ctx, w, args[0], o)
				})
			},
		}, "ref", "platform"),
		flags(&cobra.Command{
			Use:  "pull REF [NAME]",
			Args: words("pull", 1, 2),
			RunE: func(_ *cobra.Command, args []string) error {
				o.Name = strings.Join(args[1:], "")
				return a.bringImage(*asJSON, func(ctx context.Context, w *store.Writer) (store.Image, error) {
					return oci.Pull(ctx, w, args[0], o)
				})
			},
		}, "platform", "insecure"),
		a.buildCommand(asJSON),
		flags(&cobra.Command{
			Use:  "push IMAGE REF",
			Args: words("push", 2, 2),
			RunE: func(_ *cobra.Command, args []string) error {
				s, i, err := a.findImage(args[0])
				if err != nil {
					return err
				}
				ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
				defer stop()
				if err := oci.Push(ctx, s, i, args[1], o); err != nil {
					return err
				}
				_, err = fmt.Fprintf(a.Page, "%s: %s\n", args[1], i.Digest)
				return err
			},
		}, "insecure"),
		{
			Use:  "export IMAGE FILE.tar|DIR",
			Args: words("export", 2, 2),
			RunE: func(_ *cobra.Command, args []string) error { return a.exportImage(args[0], args[1]) },
		},
		{
			Use:  "inspect IMAGE",
			Args: words("inspect", 1, 1),
			RunE: func(_ *cobra.Command, args []string) error {
				_, i, err := a.findImage(args[0])
				if err != nil {
					return err
				}
				return a.showStored(i, *asJSON)
			},
		},
		{
			Use:  "rm IMAGE…",
			Args: words("rm", 1, 1000),
			RunE: func(_ *cobra.Command, args []string) error { return a.removeImages(args) },
		},
	}
}

// words wants so many arguments, and else says how the command is typed.
func words(verb string, least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least || len(args) > most {
			return cli.Usagef("image %s: %d arguments; it is: lab image %s", verb, len(args), cmd.Use)
		}
		return nil
	}
}

// findImage finds an image in the store.
func (a *app) findImage(ref string) (*store.Store, store.Image, error) {
	cache, err := usercache.Dir()
	if err != nil {
		return nil, store.Image{}, err
	}
	s := store.In(cache)
	i, err := s.Find(ref)
	return s, i, err
}

// changeStore opens the store to be changed.
func (a *app) changeStore(change func(context.Context, *store.Writer) error) (err error) {
	if err := a.NeedRoot("lab image", cli.StatusFailed); err != nil {
		return err
	}
	cache, err := usercache.Make()
	if err != nil {
		return err
	}
	w, err := store.In(cache).Write()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	return change(ctx, w)
}

// bringImage brings an image into the store, and shows it.
func (a *app) bringImage(asJSON bool, bring func(context.Context, *store.Writer) (store.Image, error)) error {
	return a.changeStore(func(ctx context.Context, w *store.Writer) error {
		i, err := bring(ctx, w)
		if err != nil {
			return err
		}
		return a.showStored(i, asJSON)
	})
}

// removeImages removes images from the store while no other lab of this machine runs:
// an instance may have one as its root.
func (a *app) removeImages(refs []string) error {
	if err := a.NeedRoot("lab image", cli.StatusFailed); err != nil {
		return err
	}
	// The lock is the one that lab run and lab exec hold, shared or alone.
	lock, err := a.Acquire(true, nil) // nobody may be running in it
	if err != nil {
		return err
	}
	defer lock.Release()
	return a.changeStore(func(_ context.Context, w *store.Writer) error {
		for _, ref := range refs {
			if err := w.Remove(ref); err != nil {
				return err
			}
		}
		return nil
	})
}

// exportImage writes an image to a new file or folder.
func (a *app) exportImage(ref, to string) error {
	s, i, err := a.findImage(ref)
	if err != nil {
		return err
	}
	if !strings.HasSuffix(to, ".tar") {
		err = oci.ExportFolder(to, s, i)
	} else {
		err = a.newFile(to, func(w io.Writer) error { return oci.Export(w, s, i) })
	}
	if err != nil {
		return fmt.Errorf("image export: %w", err)
	}
	// It is the user's: root made it.
	uid, gid := owner.IDs()
	if err := filepath.WalkDir(to, func(name string, _ os.DirEntry, err error) error {
		return errors.Join(err, owner.Courtesy(os.Lchown(name, uid, gid)))
	}); err != nil {
		return fmt.Errorf("image export: %w", err)
	}
	_, err = fmt.Fprintf(a.Page, "%s: %s\n", to, i.Digest)
	return err
}

// showStored prints an image of the store.
func (a *app) showStored(i store.Image, asJSON bool) error {
	if asJSON {
		return a.printJSON(struct {
			Names []string `json:"names"`
			store.Image
		}{append([]string{}, i.Names...), i})
	}
	// In the order in which people ask: what is it called, which one is it, what does it
	// start.
	for _, l := range [][2]string{
		{say("names:"), strings.Join(i.Names, ", ")}, {say("digest:"), i.Digest}, {say("id:"), i.ID}, {say("tree:"), i.Tree},
		{say("size:"), say("%d bytes", i.Size)}, {say("platform:"), i.Platform}, {say("layers:"), fmt.Sprint(len(i.Layers))},
		{say("entry point:"), shown(i.Start.Entrypoint)}, {say("command:"), shown(i.Start.Command)}, {say("variables:"), shown(i.Start.Env)},
		{say("user:"), i.Start.User}, {say("folder:"), i.Start.Dir},
	} {
		if l[1] != "" {
			fmt.Fprintf(a.Page, "%s %s\n", text.Pad(l[0], 12), l[1])
		}
	}
	if i.Left > 0 {
		fmt.Fprintf(a.Page, "%s %s\n", text.Pad(say("left out:"), 12), say("%d device nodes or attributes", i.Left))
	}
	return nil
}

// shown is a list of words as a shell would take them, without what a terminal
// would obey.
func shown(list []string) string {
	var out []string
	for _, w := range list {
		if q := fmt.Sprintf("%q", w); strings.ContainsAny(w, " \t\"'$") || q != `"`+w+`"` {
			w = q
		}
		out = append(out, w)
	}
	return strings.Join(out, " ")
}
