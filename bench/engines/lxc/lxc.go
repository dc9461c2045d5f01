// Package lxc has containers made by LXC's own tools, without LXD or libvirt: the
// system containers that Docker began with. lxc-execute makes one of a file of keys and
// values, puts an init of its own first in it, and runs one program.
//
// It is given what the lab's own container has, as far as its keys can say that, but no
// system call filter. All else is package foreign's.
package lxc

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"lab/bench"
	"lab/bench/confine"
	"lab/bench/foreign"
)

// New returns the environment lxc.
func New() *foreign.Env {
	m := foreign.Maker{Name: "lxc", Program: "lxc-execute", Package: "lxc", Everywhere: true, Check: check, Args: args,
		Hides: []string{"/run/lxc", "/run"}, // its locks
		// On cgroup v2 it would give its container controllers to share out, which no
		// group can that has a process itself, as the one has that it is in (kernel:
		// cgroup-v2.rst, no internal processes). The limits are the lab's group's.
		Log: log, Harmless: "Could not enable",
		Files: func(o *foreign.Order) (map[string][]byte, error) {
			keys, err := config(o)
			return map[string][]byte{file: []byte(keys)}, err
		},
		Start: []string{"read the configuration; make the container's cgroups, namespaces and mounts", "execute an init, and by it the program"}}
	m.About.Is, m.About.Groups = "a container that LXC's lxc-execute makes", []string{"engines"}
	m.About.More = "Its first process is LXC's own init, which passes signals on. It sets the variable container=lxc, and has no system call filter here."
	return foreign.New(m)
}

// The names of its configuration and of its log.
const (
	file = "config"
	log  = "log"
)

func check(s bench.Spec) error {
	for _, v := range s.Command.Env {
		if strings.ContainsAny(v, "\n\r") {
			return bench.NotApplicable("LXC's configuration has a line for each variable, and one of these has several", "--env crun")
		}
	}
	for _, m := range s.Mounts {
		if strings.HasPrefix(m.Source+"/", "/run/") {
			return bench.NotApplicable("LXC keeps its locks in /run, which is covered: no volume can be from there", "--env crun")
		}
	}
	return nil
}

// config is the container's: man 5 lxc.container.conf.
func config(o *foreign.Order) (string, error) {
	var b strings.Builder
	set := func(key, format string, a ...any) { fmt.Fprintf(&b, "lxc.%s = %s\n", key, fmt.Sprintf(format, a...)) }
	// Not on the command line: a log that is named there is written to the standard error
	// as well, quiet or not (liblxc 5.0, lxc_log_init), which is the workload's.
	set("log.file", "%s", filepath.Join(o.Dir, log))
	set("log.level", "ERROR")
	set("rootfs.path", "dir:%s", o.Root)
	set("uts.name", "%s", o.Host)
	set("init.cwd", "%s", o.Spec.Command.Dir)
	if u := o.Spec.Command.User; !u.IsRoot() {
		set("init.uid", "%d", u.UID)
		set("init.gid", "%d", u.GID)
		for _, g := range u.Groups {
			set("init.groups", "%d", g)
		}
	}
	if !o.Spec.Command.TTY {
		set("console.path", "none") // the program's descriptors are the lab's
	}
	set("tty.max", "0")
	set("pty.max", "1024")
	set("no_new_privs", "1")
	if on, _ := os.ReadFile("/sys/module/apparmor/parameters/enabled"); len(on) > 0 && on[0] == 'Y' {
		set("apparmor.profile", "unconfined") // as all others run; its own wants a service of LXC's
	}
	set("cgroup.relative", "1") // below the one that it is in
	set("cgroup.dir.container", "container")
	set("cgroup.dir.monitor", "monitor")
	if o.Spec.Settings["net"] == foreign.NetNone {
		set("net.0.type", "empty")
	} else {
		set("net.0.type", "none")
	}
	for _, c := range confine.CapabilityNames() {
		set("cap.keep", "%s", strings.ToLower(strings.TrimPrefix(c, "CAP_")))
	}
	for _, v := range o.Spec.Command.Env {
		set("environment", "%s", v)
	}
	set("mount.auto", "proc:mixed sys:ro")
	mount := func(source, target, fs, options string) {
		set("mount.entry", "%s %s %s %s 0 0", space(source), space(strings.TrimPrefix(target, "/")), fs, options)
	}
	mount("shm", "/dev/shm", "tmpfs", "nosuid,nodev,noexec,mode=1777,size=64m,create=dir")
	mount("mqueue", "/dev/mqueue", "mqueue", "nosuid,nodev,noexec,create=dir")
	for _, name := range confine.HiddenFiles {
		mount("/dev/null", "/proc/"+name, "none", "bind,optional")
	}
	for _, dir := range hidden() {
		mount("lab", dir, "tmpfs", "ro,nosuid,nodev,noexec,optional")
	}
	for _, m := range o.Spec.Mounts {
		st, err := os.Stat(m.Source)
		if err != nil {
			return "", bench.Blamed(bench.BlameMachine, err)
		}
		options := "rbind,nosuid,nodev,create=file"
		if st.IsDir() {
			options = "rbind,nosuid,nodev,create=dir"
		}
		if m.ReadOnly {
			options += ",ro"
		}
		mount(m.Source, m.Target, "none", options)
	}
	return b.String(), nil
}

// hidden are the folders that a container doesn't get to see.
func hidden() (out []string) {
	for _, name := range confine.HiddenFolders {
		out = append(out, "/proc/"+name)
	}
	for _, name := range confine.HiddenSys {
		out = append(out, "/sys/"+name)
	}
	return out
}

// space writes a path as fstab(5) does.
func space(path string) string {
	return strings.NewReplacer(`\`, `\134`, " ", `\040`, "\t", `\011`, "\n", `\012`).Replace(path)
}

func args(o *foreign.Order) []string {
	return append([]string{"--name", o.ID, "--lxcpath", o.Dir, "--rcfile", filepath.Join(o.Dir, file),
		"--logfile", "none", "--quiet", "--"}, o.Argv...)
}
