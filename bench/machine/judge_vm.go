package machine

import (
	"fmt"
	"strings"

	"lab/bench/usercache"
)

// What the virtual machine rests on, and what all images are made of.

func (s seen) checkAcceleration() Check {
	c := Check{Name: "KVM", Result: OK, Why: "without KVM a virtual machine is emulated in software (TCG): it shows what a start consists of, not how fast it is"}
	switch {
	case s.accel == nil:
		c.Result, c.Detail = Warn, "not looked at"
	case s.accelErr != nil:
		c.Result, c.Detail = Warn, "could not be tried: "+s.accelErr.Error()
		if s.qemu.path == "" {
			c.Cure = setupCure()
		}
	case s.accel.Use == "kvm":
		c.Detail = "usable: " + s.accel.Reason
	default:
		c.Result = Warn
		c.Detail, c.More = strings.TrimSuffix("not usable: "+s.accel.Brief(), ": "), s.accel.Reason
		if s.accel.By == "qemu" {
			c.More += " Only QEMU was asked; a run asks through libvirt."
		}
		switch {
		case s.facts.WSL:
			c.Cure = "nestedVirtualization=true under [wsl2] in %UserProfile%\\.wslconfig, then: wsl --shutdown"
		case s.facts.Virtual:
			c.Cure = "ask the administrator of this machine's host to pass virtualization on (with KVM: options kvm_intel nested=1, and -cpu host)"
		default:
			c.Cure = "switch on VT-x or AMD-V in the firmware, then: modprobe -a kvm_intel kvm_amd"
		}
	}
	return c
}

func (s seen) checkQEMU() Check {
	c := Check{Name: "QEMU", Result: OK, Detail: s.qemu.path + ", version " + s.qemu.version, Why: "it is the virtual machine's hardware"}
	s.qemu.judge(&c)
	return c
}

func (s seen) checkLibvirt() Check {
	c := Check{Name: "libvirt", Result: OK, Detail: s.libvirt.path + ", version " + s.libvirt.version, Why: "the lab starts virtual machines through its own libvirt daemon, as people do through the system's"}
	s.libvirt.judge(&c)
	if c.Result == OK && !s.driver {
		c.Result, c.Cure = Fail, setupCure()
		c.Detail += ", without its driver for QEMU"
	}
	return c
}

func (p program) judge(c *Check) {
	switch {
	case p.path == "":
		c.Result, c.Detail, c.Cure = Fail, "not installed", setupCure()
	case p.err != nil:
		c.Result, c.Detail, c.Cure = Fail, p.path+" doesn't run: "+p.err.Error(), "install its package anew"
	}
}

func (s seen) checkKernel() Check {
	c := Check{Name: "guest kernel", Result: OK, Detail: s.kernel, Why: "guests boot it directly, without firmware or boot loader"}
	switch {
	case s.kernel == "":
		c.Result, c.Detail = Fail, "none in the cache"
		c.Cure = "make setup, or name another: LAB_KERNEL=/boot/vmlinuz-…"
	case !s.modules:
		c.Result, c.Detail = Warn, s.kernel+", without its modules: what isn't built into it is missing in guests"
		c.Cure = "put them where the kernel's package does, /lib/modules/VERSION, or: make setup without LAB_KERNEL"
	}
	return c
}

func (s seen) checkBusybox() Check {
	c := Check{Name: "busybox", Result: OK, Detail: s.busybox + ", static", Why: "the default image's shell and tools, the same bytes in every environment"}
	if s.busybox == "" {
		c.Result, c.Detail, c.Cure = Fail, "no static one", usercache.SetUp("busybox-static")
	}
	return c
}

func (s seen) checkImage() Check {
	c := Check{Name: "default image", Result: OK, Detail: "made", Why: "one file tree for all environments, known by its digest"}
	if !s.image {
		c.Detail = "not made yet: the first lab run makes it"
	} else if s.broken {
		c.Result, c.Detail, c.Cure = Warn, "changed since it was made; the next lab run or exec makes it again", "lab image"
	}
	return c
}

// What a guest and its QEMU want, and what kernel, images and logs do.
const (
	littleMemory = 256 << 20
	enoughMemory = 1 << 30
	littleDisk   = 256 << 20
	enoughDisk   = 2 << 30
)

func (s seen) checkMemory() Check {
	c := Check{Name: "memory", Result: OK, Why: "where memory is short the kernel swaps and kills, and that is measured instead",
		Detail: fmt.Sprintf("%s of %s available", size(s.available), size(s.facts.Memory))}
	if left, by, ok := s.layout.Left("memory"); ok && left < s.available {
		s.available = left
		c.Detail = fmt.Sprintf("%s available of the %s that the limit of %s allows", size(left), by.Text, by.Dir)
	}
	switch {
	case s.available < littleMemory:
		c.Result, c.Cure = Fail, "end other programs: ps axo rss,comm --sort=-rss | head"
	case s.available < enoughMemory:
		c.Result, c.Cure = Warn, "end other programs: ps axo rss,comm --sort=-rss | head"
	}
	return c
}

func (s seen) checkDisk() Check {
	c := Check{Name: "disk", Result: OK, Why: "cache, images, logs and what instances write"}
	var details []string
	for _, r := range s.disk {
		switch {
		case r.err != nil:
			details = append(details, r.what+": "+r.err.Error())
			c.Result = Warn
			continue
		case r.free < littleDisk:
			c.Result = Fail
		case r.free < enoughDisk && c.Result == OK:
			c.Result = Warn
		}
		details = append(details, fmt.Sprintf("%s free for %s", size(r.free), r.what))
		if r.free < enoughDisk {
			c.Cure = "make room, or name another place: LAB_CACHE=DIR, --work DIR"
		}
	}
	c.Detail = strings.Join(details, ", ")
	return c
}

// size writes bytes as people do.
func size(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	default:
		return fmt.Sprintf("%d MiB", n>>20)
	}
}
