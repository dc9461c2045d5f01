package domain

import (
	"strconv"

	"libvirt.org/go/libvirtxml"

	"lab/bench/cgroup"
)

// pins keeps all of QEMU's threads on some of the host's processors: those that
// execute the guest's, and those that emulate its devices, as a container's
// cpuset holds all of its programs.
func (c Config) pins() *libvirtxml.DomainCPUTune {
	if c.CPUSet == "" {
		return nil
	}
	out := &libvirtxml.DomainCPUTune{EmulatorPin: &libvirtxml.DomainCPUTuneEmulatorPin{CPUSet: c.CPUSet}}
	host := cgroup.CPUs(c.CPUSet)
	for n := range c.CPUs {
		set := c.CPUSet
		if len(host) == c.CPUs { // one each: a guest's scheduler takes its CPUs for real
			set = strconv.Itoa(host[n])
		}
		out.VCPUPin = append(out.VCPUPin, libvirtxml.DomainCPUTuneVCPUPin{VCPU: uint(n), CPUSet: set})
	}
	return out
}
