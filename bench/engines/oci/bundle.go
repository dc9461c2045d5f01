package oci

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"

	"lab/bench/confine"
	"lab/bench/foreign"
)

// bundle is the container's config.json, as the runtime specification wants it.
func bundle(o *foreign.Order) (map[string][]byte, error) {
	s := spec(o)
	if o.Spec.Settings["seccomp"] != "none" {
		var err error
		if s.Linux.Seccomp, err = seccomp.GetDefaultProfile(s); err != nil {
			return nil, fmt.Errorf("seccomp profile: %w", err)
		}
	}
	b, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("config.json: %w", err)
	}
	return map[string][]byte{"config.json": b}, nil
}

// below are the paths of these names in a folder, which ends in a slash.
func below(dir string, lists ...[]string) (out []string) {
	for _, name := range slices.Concat(lists...) {
		out = append(out, dir+name)
	}
	return out
}

// cgroup is the container's name in the instance's.
const cgroup = "container"

// spec is the container. Its cgroup is below the top of what the runtime sees, which
// is the instance's own and has the limits.
func spec(o *foreign.Order) *specs.Spec {
	c := o.Spec.Command
	umask, kept := uint32(0o022), confine.CapabilityNames()
	s := &specs.Spec{
		Version:  "1.0.2",
		Hostname: o.Host,
		Root:     &specs.Root{Path: o.Root},
		Process: &specs.Process{
			Args: o.Argv, Env: c.Env, Cwd: c.Dir, Terminal: c.TTY, NoNewPrivileges: true,
			User: specs.User{UID: c.User.UID, GID: c.User.GID, AdditionalGids: c.User.Groups, Umask: &umask},
			Capabilities: &specs.LinuxCapabilities{
				Bounding: kept, Permitted: kept, Effective: kept,
			},
		},
		Mounts: []specs.Mount{
			{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "nodev", "noexec"}},
			{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "noexec", "mode=755", "size=64k"}},
			{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
			{Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Options: []string{"nosuid", "nodev", "noexec", "mode=1777", "size=64m"}},
			{Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue", Options: []string{"nosuid", "nodev", "noexec"}},
			{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "nodev", "noexec", "ro"}},
		},
		// A runtime leaves out what this kernel hasn't got.
		Linux: &specs.Linux{CgroupsPath: "/" + cgroup, ReadonlyPaths: below("/proc/", confine.ReadOnly),
			MaskedPaths: append(below("/proc/", confine.HiddenFiles, confine.HiddenFolders), below("/sys/", confine.HiddenSys)...)},
	}
	if c.User.UID != 0 { // a user who isn't root has what a program is given at exec
		s.Process.Capabilities.Permitted, s.Process.Capabilities.Effective = nil, nil
	}
	kinds := []specs.LinuxNamespaceType{specs.MountNamespace, specs.PIDNamespace, specs.IPCNamespace, specs.UTSNamespace, specs.CgroupNamespace}
	if o.Spec.Settings["net"] == foreign.NetNone {
		kinds = append(kinds, specs.NetworkNamespace)
	}
	for _, k := range kinds {
		s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: k})
	}
	for _, m := range o.Spec.Mounts {
		options := []string{"rbind", "rprivate", "nosuid", "nodev"}
		if m.ReadOnly {
			options = append(options, "ro")
		}
		s.Mounts = append(s.Mounts, specs.Mount{Destination: m.Target, Type: "bind", Source: m.Source, Options: options})
	}
	return s
}
