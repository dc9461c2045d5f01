// Package own has the lab's own container as a whole command, lab exec container, so
// that it can be compared with the commands of others: the same work that the
// environment container does in process, with a program that is loaded, reads its
// arguments, makes a testbed and ends again.
package own

import (
	"fmt"
	"os"
	"path/filepath"

	"lab/bench/foreign"
)

// New returns the environment lab-exec, of the lab's program at this path; "" is the
// one that runs.
func New(program string) *foreign.Env {
	if program == "" {
		program, _ = os.Executable()
		if filepath.Base(program) == "lab-full" { // people type the other
			program = filepath.Join(filepath.Dir(program), "lab")
		}
	}
	m := foreign.Maker{Name: "lab-exec", Program: program, Whole: true, Args: args,
		Start: []string{"make a testbed, and in it all that the environment container makes", "execute"}}
	m.About.Is, m.About.Groups = "our container as a whole command: lab exec container", []string{"engines"}
	m.About.Needs = "root, overlayfs"
	return foreign.New(m)
}

func args(o *foreign.Order) []string {
	c := o.Spec.Command
	net := "host" // the namespace that it is in
	if o.Spec.Settings["net"] == foreign.NetNone {
		net = "none"
	}
	out := []string{"exec", "container", "--image", o.Root, "--net", net, "--hostname", o.Host, "--workdir", c.Dir, "--user", fmt.Sprintf("%d:%d", c.User.UID, c.User.GID)}
	for _, g := range c.User.Groups {
		out = append(out, "--group-add", fmt.Sprint(g))
	}
	if n := o.Spec.Limits.Pids; n > 0 {
		out = append(out, "--pids", fmt.Sprint(n))
	}
	if c.TTY {
		out = append(out, "--tty")
	}
	for _, v := range c.Env {
		out = append(out, "--env-var", v)
	}
	for _, m := range o.Spec.Mounts {
		v := filepath.Clean(m.Source) + ":" + m.Target
		if m.ReadOnly {
			v += ":ro"
		}
		out = append(out, "--volume", v)
	}
	return append(append(out, "--"), o.Argv...)
}
