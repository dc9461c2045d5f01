package vm

import "libvirt.org/go/libvirtxml"

// pins keeps all of QEMU's threads on some of the host's processors: those that
// execute the guest's, and those that emulate its devices, as a container's
// cpuset holds all of its programs.
func (c Config) pins() *libvirtxml.DomainCPUTune {
	if c.CPUSet == "" {
		return nil
	}
	out := &libvirtxml.DomainCPUTune{EmulatorPin: &libvirtxml.DomainCPUTuneEmulatorPin{CPUSet: c.CPUSet}}
	for n := range c.CPUs {
		out.VCPUPin = append(out.VCPUPin, libvirtxml.DomainCPUTuneVCPUPin{VCPU: uint(n), CPUSet: c.CPUSet})
	}
	return out
}
