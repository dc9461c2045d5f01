// Package oci has containers made by any runtime of the Open Container Initiative,
// without an engine: crun, runc, runsc (gVisor), or one named by its path.
//
// A runtime is a command that makes one container of a bundle: a root file system and
// a file config.json that says what the container is to be. Docker, podman and
// containerd make such bundles and call such a runtime. Here the lab does, and asks
// for the same as its own container has: namespaces, mounts, hidden paths,
// capabilities, system call filter. What is timed is "runtime run", as people type it.
//
// bundle.go makes config.json; all else is package foreign's.
package oci

import (
	"cmp"
	"path/filepath"
	"strings"

	"lab/bench"
	"lab/bench/foreign"
)

// Crun is the environment crun: a runtime written in C.
func Crun() *foreign.Env {
	return runtime("crun", "crun", "a container that crun makes, without an engine", nil)
}

// Runc is the environment runc: Docker's runtime, and the first.
func Runc() *foreign.Env {
	return runtime("runc", "runc", "a container that runc makes, without an engine", nil)
}

// Runsc is the environment runsc: gVisor, whose program is a kernel for system calls
// and runs as a process.
func Runsc() *foreign.Env {
	return runtime("runsc", "runsc", "a sandbox that runsc (gVisor) makes, with a kernel as a process", func(m *foreign.Maker) {
		m.About.More = "The workload's system calls are answered by gVisor's own kernel, a program in Go. " +
			"It is a process tree on this machine, but not the workload's: what the host sees of it is the sandbox."
		m.Settings = append(m.Settings, bench.Setting{Name: "platform", Values: []string{"ptrace", "kvm", "systrap"}, Default: "ptrace",
			Help: "how it catches system calls: ptrace works everywhere, kvm needs hardware, systrap a newer gVisor"})
		m.About.Kernel = "runsc-sandbox"
		m.Relays, m.Cgroup = true, "" // ignored by a flag: it wants hierarchies that aren't everywhere
		m.Check = func(s bench.Spec) error {
			if s.Limits.Pids > 0 {
				return bench.NotApplicable("a limit of processes would be the sandbox's, whose threads serve the workload", "--env crun")
			}
			return nil
		}
		run, enter := m.Args, m.Enter
		global := func(o *foreign.Order) []string {
			network := cmp.Or(map[string]string{foreign.NetNone: "none", foreign.NetHost: "host"}[o.Spec.Settings["net"]], "sandbox")
			return []string{"--platform=" + cmp.Or(o.Spec.Settings["platform"], "ptrace"), "--network=" + network, "--ignore-cgroups"}
		}
		m.Args = func(o *foreign.Order) []string { return append(global(o), run(o)...) }
		m.Enter = func(o *foreign.Order, c bench.Command) []string { return append(global(o), enter(o, c)...) }
	})
}

// Prefix begins the name of an environment that is any runtime: oci:/path/to/runtime.
const Prefix = "oci:"

// At is the environment with a name such as oci:/usr/local/bin/youki; nil where the
// name isn't of that form.
func At(name string) *foreign.Env {
	path, ok := strings.CutPrefix(name, Prefix)
	if !ok || !filepath.IsAbs(path) {
		return nil
	}
	return runtime(name, path, "a container that the OCI runtime "+path+" makes, without an engine", nil)
}

// runtime is an environment; change says what is particular about the runtime.
func runtime(name, program, is string, change func(*foreign.Maker)) *foreign.Env {
	m := foreign.Maker{
		Name: name, Program: program, Cgroup: cgroup, PIDFile: "pid",
		Settings: []bench.Setting{{Name: "seccomp", Values: []string{"default", "none"}, Default: "default",
			Help: "which system calls are allowed: those that engines such as Docker allow, or all"}},
		Files: bundle,
		Args: func(o *foreign.Order) []string {
			return []string{"--root", filepath.Join(o.Dir, "state"), "run", "--bundle", o.Dir, "--pid-file", filepath.Join(o.Dir, "pid"), o.ID}
		},
		Enter: func(o *foreign.Order, c bench.Command) []string {
			return append([]string{"--root", filepath.Join(o.Dir, "state"), "exec"}, append(foreign.EnterFlags("--cwd", c), append([]string{o.ID}, c.Argv...)...)...)
		},
		Start: []string{"read the bundle's config.json; make the container's cgroup, namespaces, mounts and filter", "execute"},
	}
	m.About.More = "Any other runtime is named by its path: oci:/path/to/runtime."
	m.About.Is, m.About.Groups = is, []string{"runtimes", "engines"}
	if !filepath.IsAbs(program) {
		m.Package = program
	}
	if change != nil {
		change(&m)
	}
	return foreign.New(m)
}
