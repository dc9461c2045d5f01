// Package bwrap has sandboxes made by bubblewrap, the program behind Flatpak: a
// container of which each part is asked for by a flag. It makes no cgroups and needs no
// daemon, so that what it costs is the namespaces and mounts alone.
//
// It is given what the lab's own container has, as far as it can: it hides nothing of
// /proc, binds the testbed's /sys, and is given no system call filter, which it would
// want to read from a descriptor. All else is package foreign's.
package bwrap

import (
	"strings"

	"lab/bench"
	"lab/bench/confine"
	"lab/bench/foreign"
)

// New returns the environment bwrap.
func New() *foreign.Env {
	m := foreign.Maker{Name: "bwrap", Program: "bwrap", Package: "bubblewrap", Args: args, Check: check,
		Start: []string{"make the namespaces and mounts, drop capabilities", "execute"}}
	m.About.Is, m.About.Groups = "a sandbox that bubblewrap makes, without cgroups of its own", []string{"engines"}
	m.About.More = "It hides nothing of /proc, shows the testbed's /sys, and has no system call filter here."
	return foreign.New(m)
}

func check(s bench.Spec) error {
	if !s.Command.User.IsRoot() {
		return bench.NotApplicable("bwrap changes the user only with a user namespace", "run as root inside, or --env crun")
	}
	return nil
}

func args(o *foreign.Order) []string {
	out := []string{"--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup", "--as-pid-1", "--die-with-parent",
		"--hostname", o.Host, "--bind", o.Root, "/", "--proc", "/proc", "--dev", "/dev", "--mqueue", "/dev/mqueue", "--ro-bind", "/sys", "/sys",
		"--chdir", o.Spec.Command.Dir, "--cap-drop", "ALL", "--clearenv"}
	for _, v := range o.Spec.Command.Env {
		name, value, _ := strings.Cut(v, "=")
		out = append(out, "--setenv", name, value)
	}
	if o.Spec.Settings["net"] == foreign.NetNone {
		out = append(out, "--unshare-net")
	}
	for _, c := range confine.CapabilityNames() {
		out = append(out, "--cap-add", c)
	}
	for _, m := range o.Spec.Mounts {
		how := "--bind"
		if m.ReadOnly {
			how = "--ro-bind"
		}
		out = append(out, how, m.Source, m.Target)
	}
	return append(append(out, "--"), o.Argv...)
}
