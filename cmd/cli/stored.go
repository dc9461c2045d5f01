package cli

import (
	"slices"

	"lab/bench"
	"lab/bench/image/store"
	"lab/bench/usercache"
)

// stored finds the image that was named, and fills in what one of the store starts
// by default, as docker run does: what was asked for comes first. A program of the
// host (host) has its own variables, user and folder.
func (a *Exec) stored(spec *bench.Spec, f *execFlags, host bool) error {
	cache, err := usercache.Dir()
	if err != nil {
		return &StatusError{StatusLab, err}
	}
	r, start, err := store.Named(cache, f.image)
	if err != nil {
		return &StatusError{StatusLab, err}
	}
	spec.Image = r
	if start == nil || host {
		if f.entrypoint != "" {
			spec.Command.Argv = append([]string{f.entrypoint}, spec.Command.Argv...)
		}
		return nil
	}
	if err := a.NeedRoot("lab exec", StatusLab); err != nil { // to see the image's users
		return err
	}
	c := &spec.Command
	if len(c.Argv) == 0 && !f.replaces {
		c.Argv = start.Command
	}
	switch {
	case f.entrypoint != "":
		c.Argv = append([]string{f.entrypoint}, c.Argv...)
	case !f.replaces:
		c.Argv = slices.Concat(start.Entrypoint, c.Argv)
	}
	if f.user != "" {
		start.User = "" // numbers, which were read already
	}
	who, err := start.Account(r.Dir)
	if err != nil {
		return &StatusError{StatusLab, err}
	}
	home := who.Home
	if home == "" {
		home = "/root"
	}
	if f.user == "" {
		c.User.UID, c.User.GID = who.UID, who.GID
		c.User.Groups = append(who.Groups, c.User.Groups...)
	}
	c.Env = f.variables(home, start.Env)
	if c.Dir == "" {
		c.Dir = start.Dir
	}
	return nil
}
