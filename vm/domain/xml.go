package domain

import (
	"encoding/xml"
	"errors"
	"fmt"
	"strconv"

	"libvirt.org/go/libvirtxml"

	"lab/bench/cgroup"
)

// A Config is everything that tells one domain from another. Paths are as the
// libvirt daemon sees them.
type Config struct {
	Name    string // the domain's
	Testbed string // ID of the testbed that owns it, kept in the domain's metadata
	Owner   string // which machine the testbed is on, where libvirt serves others, too

	// Remote: no file of the lab's is there. The console is a pseudo-terminal
	// and the channel a socket of libvirt's own, and both come through libvirt.
	Remote bool

	Accel    string // "kvm" or "tcg"
	CPU      string // model under KVM: "host", "host-model", or QEMU's name of one; under TCG it is the machine's
	SVM      bool   // under TCG: the CPU has AMD's virtualization, which QEMU emulates, too
	Machine  string // "q35" or "pc"
	Emulator string // QEMU's path
	Firmware string // path of a ROM image; "" is the machine's own, SeaBIOS
	ACPI     bool   // tables that describe the machine; without them the guest probes less
	Memory   int64  // bytes of RAM
	CPUs     int    // virtual CPUs
	CPUSet   string // which of the host's CPUs QEMU may run on, "0-1,3"; "": all
	Allowed  string // which of them the lab itself may run on; "": all
	TBCache  int64  // bytes for translated code under TCG

	// User and Group are whom QEMU runs as; 0 leaves it to libvirt.
	User, Group int

	Kernel, Initrd, Cmdline string

	Console    string // pair of FIFOs that the first serial port is; without .in and .out
	ConsoleLog string // file to which QEMU copies what the console says
	Channel    string // socket on which the lab listens for the guest's init; "": no such port

	System *Disk // what firmware boots, where Kernel is ""; nil: no such disk
	Init   *Disk // the guest's init, for what boots there; nil: no such disk

	Root *Disk // the image, where it isn't in Initrd; nil: no such disk
	Data *Disk // the workload's own
	Card *Card // its network; nil: it has loopback alone

	Shares []Share // the host's folders that it is shown
}

// ChannelName is the virtio port's name, by which a guest finds it in
// /sys/class/virtio-ports/*/name.
const ChannelName = "lab.init"

// Tag is the domain's metadata element. What bears it is the lab's.
type Tag struct {
	XMLName xml.Name `xml:"urn:lab:testbed testbed"`
	ID      string   `xml:"id,attr"`
	Machine string   `xml:"machine,attr,omitempty"` // where a libvirt may serve labs of several
}

// TagSpace is the tag's namespace, by which libvirt finds it.
const TagSpace = "urn:lab:testbed"

// ReadTag reads a tag as libvirt gives it that was asked for our namespace: it
// leaves that out.
func ReadTag(text string) (Tag, error) {
	var t struct {
		XMLName xml.Name `xml:"testbed"`
		ID      string   `xml:"id,attr"`
		Machine string   `xml:"machine,attr"`
	}
	err := xml.Unmarshal([]byte(text), &t)
	return Tag{ID: t.ID, Machine: t.Machine}, err
}

// XML writes the domain's definition. It is a pure function.
//
// The machine has what the workload uses and nothing else: RAM, CPUs, a serial
// port, the virtio port where the guest's init needs one, and what the settings
// ask for. Each device less is one that firmware and kernel don't probe. What libvirt would add by itself
// (a USB controller, a memory balloon) is named with the model "none".
func XML(c Config) (string, error) {
	if err := c.validate(); err != nil {
		return "", fmt.Errorf("domain XML: %w", err)
	}
	meta, err := xml.Marshal(Tag{ID: c.Testbed, Machine: c.Owner})
	if err != nil {
		return "", fmt.Errorf("domain XML: %w", err)
	}
	zero := uint(0)
	d := &libvirtxml.Domain{
		Type:     "kvm",
		Name:     c.Name,
		Metadata: &libvirtxml.DomainMetadata{XML: string(meta)},
		Memory:   &libvirtxml.DomainMemory{Value: uint(c.Memory >> 10), Unit: "KiB"},
		VCPU:     &libvirtxml.DomainVCPU{Value: uint(c.CPUs), CPUSet: c.Allowed},
		OS: &libvirtxml.DomainOS{
			Type:    &libvirtxml.DomainOSType{Type: "hvm", Arch: "x86_64", Machine: c.Machine},
			Kernel:  c.Kernel,
			Initrd:  c.Initrd,
			Cmdline: c.Cmdline,
		},
		Features: &libvirtxml.DomainFeatureList{APIC: &libvirtxml.DomainFeatureAPIC{}},
		// With all three "destroy", libvirt starts QEMU with -no-reboot: a
		// guest that ends in any way takes its QEMU with it.
		OnPoweroff: "destroy", OnReboot: "destroy", OnCrash: "destroy",
		Devices: &libvirtxml.DomainDeviceList{
			Emulator:    c.Emulator,
			Controllers: []libvirtxml.DomainController{{Type: "usb", Model: "none"}},
			MemBalloon:  &libvirtxml.DomainMemBalloon{Model: "none"},
			Serials: []libvirtxml.DomainSerial{{
				Source: pipeSource(c.Console),
				Target: &libvirtxml.DomainSerialTarget{Type: "isa-serial", Port: &zero},
			}},
		},
	}
	if c.Remote {
		d.Devices.Serials[0].Source = &libvirtxml.DomainChardevSource{Pty: &libvirtxml.DomainChardevSourcePty{}}
	} else if c.ConsoleLog != "" {
		d.Devices.Serials[0].Log = &libvirtxml.DomainChardevLog{File: c.ConsoleLog, Append: "off"}
	}
	if c.User != 0 {
		d.SecLabel = []libvirtxml.DomainSecLabel{c.label()}
	}
	if c.Firmware != "" {
		d.OS.Loader = &libvirtxml.DomainLoader{Path: c.Firmware, Readonly: "yes", Type: "rom"}
	}
	if c.ACPI {
		d.Features.ACPI = &libvirtxml.DomainFeature{}
	}
	if c.Channel != "" {
		d.Devices.Controllers = append(d.Devices.Controllers, libvirtxml.DomainController{
			Type: "virtio-serial", Index: &zero, Address: onRootBus(slotPort),
		})
		source := unixSource(c.Channel)
		if c.Remote {
			source = &libvirtxml.DomainChardevSource{UNIX: &libvirtxml.DomainChardevSourceUNIX{Mode: "bind"}}
		}
		d.Devices.Channels = []libvirtxml.DomainChannel{{
			Source: source,
			Target: &libvirtxml.DomainChannelTarget{VirtIO: &libvirtxml.DomainChannelTargetVirtIO{Name: ChannelName}},
		}}
	}
	d.CPUTune = c.pins()
	c.shares(d)
	d.Devices.Disks, d.Devices.Interfaces = c.disks(), c.Card.card()
	switch {
	case c.Accel == "tcg":
		d.Type = "qemu"
		d.Features.TCG = &libvirtxml.DomainFeatureTCG{
			TBCache: &libvirtxml.DomainFeatureTCGTBCache{Unit: "KiB", Size: uint(c.TBCache >> 10)},
		}
		if c.SVM {
			d.CPU = &libvirtxml.DomainCPU{Mode: "custom", Match: "exact", Check: "none",
				Model:    &libvirtxml.DomainCPUModel{Value: "qemu64", Fallback: "forbid"},
				Features: []libvirtxml.DomainCPUFeature{{Policy: "require", Name: "svm"}, {Policy: "require", Name: "npt"}}}
		}
	case c.CPU == "host":
		d.CPU = &libvirtxml.DomainCPU{Mode: "host-passthrough", Check: "none", Migratable: "off"}
	case c.CPU == "host-model":
		d.CPU = &libvirtxml.DomainCPU{Mode: "host-model", Check: "partial"}
	case c.CPU != "":
		d.CPU = &libvirtxml.DomainCPU{Mode: "custom", Match: "exact", Check: "none",
			Model: &libvirtxml.DomainCPUModel{Value: c.CPU, Fallback: "forbid"}}
	}
	return d.Marshal()
}

// label is the user that QEMU runs as. libvirt is to change no file's owner.
func (c Config) label() libvirtxml.DomainSecLabel {
	return libvirtxml.DomainSecLabel{Type: "static", Model: "dac", Relabel: "no", Label: fmt.Sprintf("+%d:+%d", c.User, c.Group)}
}

// pipeSource is a pair of FIFOs.
func pipeSource(path string) *libvirtxml.DomainChardevSource {
	return &libvirtxml.DomainChardevSource{Pipe: &libvirtxml.DomainChardevSourcePipe{Path: path}}
}

// unixSource is a socket that QEMU connects to: the lab listens.
func unixSource(path string) *libvirtxml.DomainChardevSource {
	return &libvirtxml.DomainChardevSource{UNIX: &libvirtxml.DomainChardevSourceUNIX{Mode: "connect", Path: path}}
}

func (c Config) validate() error {
	switch {
	case c.Name == "" || c.Testbed == "":
		return errors.New("a domain needs a name and a testbed")
	case c.Accel != "kvm" && c.Accel != "tcg":
		return fmt.Errorf("acceleration %q is neither kvm nor tcg", c.Accel)
	case c.Accel == "tcg" && c.TBCache < 1<<20:
		return fmt.Errorf("a translation cache of %d bytes is too small", c.TBCache)
	case c.Memory < 1<<20:
		return fmt.Errorf("%d bytes of memory are too few", c.Memory)
	case c.CPUs < 1:
		return fmt.Errorf("%d virtual CPUs are too few", c.CPUs)
	case c.Kernel == "" && c.System == nil || c.Console == "" && !c.Remote:
		return errors.New("a domain needs a kernel and a console")
	}
	for _, x := range c.Shares {
		if err := x.validate(); err != nil {
			return err
		}
	}
	return errors.Join(c.System.validate(c.Machine), c.Init.validate(c.Machine), c.Root.validate(c.Machine), c.Data.validate(c.Machine), c.Card.validate())
}

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

// A Share is a folder of the host that a guest may mount.
type Share struct {
	Tag string // by which the guest names it
	Dir string // as the libvirt daemon sees it
}

// shares adds the devices for a domain's shared folders. The process that
// serves them reads and writes the guest's memory, which therefore can't be
// QEMU's alone.
func (c Config) shares(d *libvirtxml.Domain) {
	if len(c.Shares) == 0 {
		return
	}
	d.MemoryBacking = &libvirtxml.DomainMemoryBacking{
		MemorySource: &libvirtxml.DomainMemorySource{Type: "memfd"},
		MemoryAccess: &libvirtxml.DomainMemoryAccess{Mode: "shared"},
	}
	for n, s := range c.Shares {
		d.Devices.Filesystems = append(d.Devices.Filesystems, libvirtxml.DomainFilesystem{
			AccessMode: "passthrough",
			Driver:     &libvirtxml.DomainFilesystemDriver{Type: "virtiofs"},
			Source:     &libvirtxml.DomainFilesystemSource{Mount: &libvirtxml.DomainFilesystemSourceMount{Dir: s.Dir}},
			Target:     &libvirtxml.DomainFilesystemTarget{Dir: s.Tag},
			Address:    onRootBus(slotShare + uint(n)),
		})
	}
}

func (s Share) validate() error {
	if s.Tag == "" || s.Dir == "" {
		return errors.New("a shared folder needs a tag and a path")
	}
	return nil
}
