package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"lab/bench/appfile"
	"lab/bench/image/store"
	"lab/bench/input"
	"lab/bench/request"
	"lab/bench/usercache"
	"lab/scenarios"
)

// application fills in which application a scenario runs, and in which image. A
// file's content becomes the request's, so that a manifest says what was run, and not
// where a file was on some machine.
func (f *runFlags) application() error {
	r := &f.Request
	if !slices.ContainsFunc(r.Scenarios, func(name string) bool { return slices.Contains(scenarios.Find(name).Takes, "app") }) {
		return nil // takes refuses --app
	}
	if r.App == "" {
		r.App = scenarios.DefaultApp
	}
	if name := r.App; !strings.Contains(name, "{") && (strings.Contains(name, "/") || strings.HasSuffix(name, ".yaml")) {
		if f.experiment != nil {
			name = f.experiment.Path(name)
		}
		data, err := input.ReadNamed(name, appfile.MaxSize)
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
	return fmt.Errorf("there is no image %s in the store, which %s is in; fix: %s, or --image of one that has it", a.Image, a.Title, fix)
}
