// Package nspawn has containers made by systemd-nspawn, which Debian's packagers and
// systemd's developers use to boot or enter a file tree. It needs no running systemd.
//
// It has its own idea of mounts, capabilities and filter, which differ from those of
// the lab's container, and sets variables of its own. All else is package foreign's.
package nspawn

import (
	"os"
	"path/filepath"
	"strings"

	"lab/bench"
	"lab/bench/foreign"
)

// New returns the environment nspawn.
func New() *foreign.Env {
	m := foreign.Maker{Name: "nspawn", Program: "systemd-nspawn", Package: "systemd-container", Args: args, Check: check, Mute: true, Everywhere: true,
		Hides: []string{"/run/systemd/nspawn", "/run/systemd"},
		Start: []string{"make the namespaces and mounts, drop capabilities, install its filter", "execute"}}
	m.About.Is, m.About.Groups = "a container that systemd-nspawn makes", []string{"engines"}
	m.About.More = "Its mounts, capabilities and system call filter are its own, and it sets variables such as container=systemd-nspawn."
	return foreign.New(m)
}

func check(s bench.Spec) error {
	if !s.Command.User.IsRoot() {
		return bench.NotApplicable("systemd-nspawn takes a user by its name in the image, and the lab has numbers", "run as root inside, or --env crun")
	}
	if _, err := os.Stat(filepath.Join(s.Image.Dir, "usr")); s.Image.Dir != "" && err != nil {
		return bench.NotApplicable("systemd-nspawn wants a folder /usr in the image, and this one has none", "--image DIR with one that has it")
	}
	return nil
}

func args(o *foreign.Order) []string {
	out := []string{"--quiet", "--register=no", "--keep-unit", "--link-journal=no", "--resolv-conf=off", "--timezone=off",
		"--machine=" + o.Host, "--hostname=" + o.Host, "--directory=" + o.Root, "--chdir=" + o.Spec.Command.Dir}
	if !o.Spec.Command.TTY {
		out = append(out, "--console=pipe")
	}
	if o.Spec.Settings["net"] == foreign.NetNone {
		out = append(out, "--private-network")
	}
	for _, v := range o.Spec.Command.Env {
		out = append(out, "--setenv="+v)
	}
	for _, m := range o.Spec.Mounts {
		how := "--bind="
		if m.ReadOnly {
			how = "--bind-ro="
		}
		out = append(out, how+strings.ReplaceAll(m.Source, ":", `\:`)+":"+strings.ReplaceAll(m.Target, ":", `\:`))
	}
	return append(append(out, "--"), o.Argv...)
}
