package container

import (
	"slices"

	"lab/bench"
)

// NewJail returns the environment jail: a container with the rules that FreeBSD's jails
// had in 2000, before there were namespaces (Kamp and Watson, "Jails: Confining the
// omnipotent root"):
//
//   - a root folder and users of its own: its root is an unprivileged user outside;
//   - one address beside loopback's, which it can't change, and no routes to set;
//   - TCP, UDP and local sockets alone: none that are raw, none to the kernel;
//   - no mounts, no device nodes, no modules;
//   - no signals to processes outside, nor a look at them;
//   - limits of processor time and memory, as asked for.
//
// A container has most of these already. A jail can leave none out, has users of its
// own, and a stricter filter for sockets.
func NewJail() *Env { return &Env{jail: true} }

const (
	jailIs   = "a container with the rules of FreeBSD's jails"
	jailMore = "A root folder, users and one address of its own; TCP, UDP and local sockets alone; no mounts, device nodes or routes, and no signals to others. " +
		"Programs that ask the kernel for addresses or routes by a netlink socket are refused: ip is, ifconfig isn't."
)

// ingredients of a jail that can't be left out.
var fixed = map[string]string{"user": "yes", "pid": "yes", "ipc": "yes", "uts": "yes", "cgroup": "yes", "overlay": "yes", "caps": "default", "seccomp": "default"}

// jailed are a jail's settings, of a container's.
func jailed(all []bench.Setting) []bench.Setting {
	for n, s := range all {
		if v, ok := fixed[s.Name]; ok {
			all[n].Values, all[n].Default = []string{v}, v
		}
		if s.Name == "net" {
			all[n].Values, all[n].Default, all[n].Help = []string{"none", "bridge"}, "bridge", "network: a port of the testbed's bridge with one address, or none but loopback"
		}
	}
	return slices.DeleteFunc(all, func(s bench.Setting) bool { return s.Name == "publish" })
}
