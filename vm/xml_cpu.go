package vm

import (
	"strconv"
	"strings"

	"libvirt.org/go/libvirtxml"
)

// pins keeps QEMU's threads on some of the host's processors. Each virtual CPU
// has one of them for itself, where there are as many; else all have all, as the
// threads that emulate the guest's devices always do.
func (c Config) pins() *libvirtxml.DomainCPUTune {
	if len(c.Pinned) == 0 {
		return nil
	}
	var names []string
	for _, cpu := range c.Pinned {
		names = append(names, strconv.Itoa(cpu))
	}
	all := strings.Join(names, ",")
	t := &libvirtxml.DomainCPUTune{EmulatorPin: &libvirtxml.DomainCPUTuneEmulatorPin{CPUSet: all}}
	for n := range c.CPUs {
		set := all
		if len(names) == c.CPUs {
			set = names[n]
		}
		t.VCPUPin = append(t.VCPUPin, libvirtxml.DomainCPUTuneVCPUPin{VCPU: uint(n), CPUSet: set})
	}
	return t
}
