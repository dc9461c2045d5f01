package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"

	"lab/bench/appfile"
	"lab/bench/image/debian"
	"lab/bench/image/store"
	"lab/bench/input"
	"lab/bench/request"
	"lab/bench/runs"
	"lab/bench/usercache"
	"lab/scenarios"
)

// An application of lab run app may be one of the lab's, by its name, or a file of the
// user's. A manifest has to say what ran, also to somebody who doesn't have that file:
// so its content takes the place of its name in the request, and everything after this
// point (worker, resume, reproduce) knows applications by content alone.

// application fills in which application a scenario runs, and in which image. A
// file's content becomes the request's, so that a manifest says what was run, and not
// where a file was on some machine.
func (f *runFlags) application() error {
	r := &f.Request
	if !slices.ContainsFunc(r.Scenarios, takesApp) {
		return nil // takes refuses --app
	}
	if r.App == "" {
		r.App = scenarios.DefaultApp
	}
	if name := r.App; !strings.Contains(name, "{") && (strings.Contains(name, "/") || strings.HasSuffix(name, ".yaml")) {
		if f.experiment != nil {
			name = f.experiment.Path(name)
		}
		read := input.ReadNamed
		if f.paperApp || f.experiment != nil && f.experiment.Has("app") { // a pipe that a file names is nobody's to fill
			read = input.ReadFile
		}
		data, err := read(name, appfile.MaxSize)
		if err != nil {
			return &request.Error{At: []any{"app"}, Err: err}
		}
		a, err := appfile.Parse(name, data)
		if err != nil {
			return &request.Error{At: []any{"app"}, Err: err}
		}
		if a.Image == "" && len(a.Packages) > 0 {
			a.Image = strings.TrimSuffix(filepath.Base(name), ".yaml")
		}
		text, err := json.Marshal(a)
		if err != nil {
			return err
		}
		r.App = string(text)
	}
	a, err := scenarios.FindApp(r.App)
	if err != nil {
		return &request.Error{At: []any{"app"}, Err: err}
	}
	if r.Image == "" {
		r.Image = a.Image
	}
	return nil
}

// takesApp says whether a scenario runs an application.
func takesApp(name string) bool { return slices.Contains(scenarios.Find(name).Takes, "app") }

// appImage says how to make the image of an application that the store doesn't have.
func (f *runFlags) appImage() error {
	if f.App == "" {
		return nil
	}
	a, err := scenarios.FindApp(f.App)
	if err != nil || a.Image == "" || f.Image != a.Image {
		return err
	}
	cache, err := usercache.Dir()
	if err != nil {
		return err
	}
	if _, err := store.In(cache).Find(a.Image); !errors.Is(err, store.ErrUnknown) || isFolder(a.Image) {
		return nil
	}
	fix := "lab image import, or pull, as " + a.Image
	if len(a.Packages) > 0 {
		fix = fmt.Sprintf("sudo lab image build debian --packages %s --name %s", strings.Join(a.Packages, ","), a.Image)
	}
	return fmt.Errorf("the store has no image %s with the application (%s); fix: %s, or --image with another that has it", a.Image, a.Title, fix)
}

// fetchPackages fetches those of the application that scenario provisioning is to
// install, if --from asked for that and they aren't there.
func (a *app) fetchPackages(f *runFlags) error {
	if !slices.Contains(f.From, "packages") {
		return nil
	}
	x, err := scenarios.FindApp(f.App)
	if err != nil || len(x.Packages) == 0 {
		return err // its rows say that there are none
	}
	cache, err := usercache.Dir()
	if err != nil {
		return err
	}
	dir := debian.Repository(cache, x.Packages)
	if debian.HasRepository(dir) {
		return nil
	}
	ctx, stop := signal.NotifyContext(context.Background(), runs.Signals()...)
	defer stop()
	sayTo(a.Note, "fetching the packages of %s from this machine's sources: a minute or more\n", x.Title)
	if err := debian.Fetch(ctx, dir, x.Packages); err != nil {
		return fmt.Errorf("--from packages: %w", err)
	}
	return usercache.Give(dir)
}
