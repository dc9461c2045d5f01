package machine

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/usercache"
)

// judge concludes from what was seen. It asks nobody anything, so that tables
// can test it. What a failure means to environments is block's to say.
func judge(s seen) []Check {
	list := []Check{s.checkRoot(), s.checkSystem()}
	for _, n := range namespaces {
		err, tried := s.namespaces[n.name]
		c := Check{Name: n.name + " namespace", Why: "keeps apart " + n.what}
		s.tried(&c, tried, err, n.need)
		list = append(list, c)
	}
	list = append(list, s.checkCgroups(), s.checkLimits(), s.checkInherited())
	list = append(list, s.checkTried()...)
	list = append(list, s.checkAcceleration(), s.checkQEMU(), s.checkLibvirt(), s.checkKernel(), s.checkBusybox(), s.checkImage())
	list = append(list, s.checkMemory(), s.checkDisk(), s.checkSwap(), s.checkLoad(), s.checkSteal(), s.checkGovernor(), s.checkNesting())
	return append(list, s.checkSecurity()...)
}

// block names what each failed check blocks: the environments that say they rest
// on it, or variants of them. Where it blocks none as a whole it is no failure.
func block(list []Check, envs []bench.About) []Check {
	for i := range list {
		c := &list[i]
		c.Blocks = []string{}
		if c.Result != Fail {
			continue
		}
		c.Result = Warn
		for _, e := range envs {
			for _, r := range e.Rests {
				switch {
				case r.Check != c.Name:
				case r.Variant == "" && e.Extra:
					c.Blocks = append(c.Blocks, e.Name)
				case r.Variant == "":
					c.Result, c.Blocks = Fail, append(c.Blocks, e.Name)
				default:
					c.Blocks = append(c.Blocks, e.Name+" "+r.Variant)
				}
			}
		}
	}
	return list
}

// setupCure is for what virtual machines need.
func setupCure() string { return usercache.SetUp(usercache.GuestPackages) }

// The result of something that was tried, or that only root may try.
func (s seen) tried(c *Check, tried bool, err error, need string) {
	switch {
	case !tried:
		c.Result, c.Detail, c.Cure = Warn, "not root: can't tell", "sudo ./lab doctor"
	case err == nil:
		c.Result, c.Detail = OK, "tried, works"
	default:
		c.Result, c.Detail = Fail, err.Error()+": "+need
		c.Cure = kernelCure(err)
	}
}

// kernelCure says what to do about a kernel that refused something to root.
func kernelCure(err error) string {
	switch {
	case errors.Is(err, unix.ENOSPC): // namespaces(7): a limit in /proc/sys/user
		return "sysctl user: the max_*_namespaces that is 0 wants to be larger"
	case errors.Is(err, errOldTime):
		return "a kernel of 6.2 or later"
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return "run the lab outside of containers, or in a privileged one: docker run --privileged"
	}
	return "a kernel that has it: a distribution's own, or a virtual machine of your own"
}

func (s seen) checkRoot() Check {
	c := Check{Name: "root", Result: OK, Detail: "root", Why: "namespaces, mounts, cgroups and network devices are made by root"}
	if !s.root {
		c.Result, c.Detail, c.Cure = Fail, "not root", "sudo ./lab run …, or as root in your own virtual machine"
	}
	return c
}

func (s seen) checkSystem() Check {
	f := s.facts
	c := Check{Name: "system", Result: OK, Why: "what the figures are of",
		Detail: fmt.Sprintf("%s, Linux %s, %s, %d × %s, init %s", f.OS, f.Kernel, f.Arch, f.CPUs, f.CPU, f.Init)}
	if f.Arch != "amd64" {
		c.Result, c.Detail = Fail, c.Detail+": no "+f.Arch+" guest yet"
	}
	return c
}

func (s seen) checkCgroups() Check {
	c := Check{Name: "cgroups", Result: OK, Why: "limits and figures of processor, memory and processes come from cgroups"}
	var missing []string
	for _, name := range []string{"cpu", "memory", "pids"} {
		if s.layout.Where(name) == "" {
			missing = append(missing, name)
		}
	}
	c.Detail = s.layout.Kind()
	if len(s.facts.Controllers) > 0 {
		c.Detail += ": " + strings.Join(s.facts.Controllers, ", ")
	}
	switch {
	case s.layout.Kind() == "none":
		c.Result, c.Cure = Warn, "mount -t cgroup2 none /sys/fs/cgroup"
		c.Detail = "none mounted: nothing is limited"
	case len(missing) > 0:
		c.Result = Warn
		c.Detail += "; without " + strings.Join(missing, ", ")
		c.Cure = s.layout.Cure(missing...)
	}
	return c
}

// checkTried is a check for each thing that was tried, with the fix of what often
// is the matter.
func (s seen) checkTried() (list []Check) {
	for _, x := range []struct {
		name, why, need string
		err             error
		often           []error
		cure            string
	}{
		{"overlayfs", "a container writes into a layer over the image, which stays as it is", "a container has no root file system",
			s.overlay, []error{unix.ENODEV}, "modprobe overlay"},
		{"mount API", "mounts are complete before anybody sees them, and made read-only by descriptor (fsopen, Linux 5.2; mount_setattr, 5.12)",
			"a container can't be put together", s.mountAPI, []error{unix.ENOSYS}, "boot a kernel of 5.12 or later"},
		{"idmapped mounts", "a container with users of its own sees the image with the right owners (Linux 5.19 below an overlay)", "needed for user=yes",
			s.idmap, nil, ""},
		{"veth and bridge", "a container's network is a cable to the testbed's bridge", "no container with a network of its own",
			s.network, []error{unix.EOPNOTSUPP}, "modprobe -a bridge veth"},
		{"nftables", "in a run a container's port can be published by rules of the kernel (publish=nftables); lab exec -p does without",
			"needed for publish=nftables", s.nat, []error{unix.ENOENT, unix.EOPNOTSUPP, unix.EPROTONOSUPPORT, unix.EINVAL},
			"modprobe -a nf_tables nft_chain_nat nft_masq nft_fib_ipv4"},
		{"tap", "a virtual machine's network card is a tap device on the testbed's bridge", "no virtual machine on the bridge",
			s.tap, []error{unix.ENOENT, unix.ENODEV}, "modprobe tun"},
	} {
		c := Check{Name: x.name, Why: x.why}
		s.tried(&c, s.root, x.err, x.need)
		if slices.ContainsFunc(x.often, func(e error) bool { return errors.Is(x.err, e) }) {
			c.Cure = x.cure
		}
		if x.name == "idmapped mounts" && c.Result == Fail && s.cache != "" {
			c.Detail += " (tried on " + s.cache + ")"
			c.Cure = "boot Linux 5.19 or later, with the cache on ext4, xfs or btrfs: LAB_CACHE names another folder"
		}
		list = append(list, c)
	}
	return list
}

func (s seen) checkNesting() Check {
	f := s.facts
	c := Check{Name: "nesting", Result: OK, Detail: "bare metal", Why: "in a guest every exit of the lab's virtual machines costs two, and neighbours take time"}
	switch {
	case f.WSL:
		c.Result = Warn
		c.Detail = "WSL 2: a guest of Hyper-V with a kernel of Microsoft's; folders under /mnt are Windows' and very slow"
		c.Cure = "keep the lab under your Linux home; for virtual machines set nestedVirtualization=true under [wsl2] in %UserProfile%\\.wslconfig, then: wsl --shutdown"
	case f.Virtual:
		c.Result, c.Detail = Warn, "this machine is itself a guest ("+f.Hypervisor+"): figures hold for guests"
		if f.Emulated {
			c.Detail = "this machine is itself emulated in software (" + f.Hypervisor + "): everything works, and no figure says how fast anything is"
		}
	}
	return c
}

// checkSecurity is one check for each module that may forbid root something.
func (s seen) checkSecurity() []Check {
	selinux := Check{Name: "SELinux", Why: "where it enforces, it may refuse root's mounts, and QEMU files without its labels"}
	if s.module(&selinux, "selinux: ") == "enforcing" {
		selinux.Result = Warn
		selinux.Detail += ": a start may fail with 'permission denied' though root asks, and each access costs a look-up"
		selinux.Cure = "if that happens: setenforce 0, and afterwards: setenforce 1"
	}
	apparmor := Check{Name: "AppArmor", Why: "a profile follows a program's path, so that the lab's private libvirt gets the system's"}
	if s.module(&apparmor, "apparmor: ") != "" && s.confined {
		apparmor.Result = Warn
		apparmor.Detail += "; libvirt's daemon is confined, and may be refused what the private one needs"
		apparmor.Cure = "if that happens: aa-complain /usr/sbin/libvirtd (package apparmor-utils), and afterwards: aa-enforce /usr/sbin/libvirtd"
	}
	return []Check{selinux, apparmor}
}

// module fills in how a security module is set, and returns it; "" is not there.
func (s seen) module(c *Check, prefix string) string {
	c.Result, c.Detail = OK, "not there"
	for _, v := range s.facts.Security {
		if how, ok := strings.CutPrefix(v, prefix); ok {
			c.Detail = how
			return how
		}
	}
	return ""
}
