package asked

import (
	"fmt"
	"math"
	"strconv"

	"lab/bench"
	"lab/bench/cgroup"
	"lab/bench/request"
)

// How large a guest is: its RAM, its processors, and QEMU's cache for the code
// that it translates.

const (
	// defaultMemory is a guest's RAM where nothing else is asked for.
	defaultMemory = 128 << 20

	// minMemory is below what a distribution's kernel boots with.
	minMemory = 96 << 20

	// maxCPUs is what a PC of either kind can have.
	maxCPUs = 255

	// minTBCache is the smallest cache for translated code: QEMU counts MiB.
	minTBCache = 1 << 20

	auto = "auto"
)

// sizeSettings are the settings of a guest's size.
func sizeSettings() []bench.Setting {
	return []bench.Setting{
		{Name: "memory", Default: auto,
			Help: "the guest's RAM, such as 256M; auto is 128M, or what a memory limit asks for"},
		{Name: "vcpus", Default: auto,
			Help: "its processors; auto is one, or as many as a limit or the workload asks for"},
		// QEMU's own choice is a quarter of the guest's RAM in older versions,
		// and 1 GiB in newer ones.
		{Name: "tbcache", Default: "128M",
			Help: "under TCG: how much memory QEMU takes for translated code"},
	}
}

// given says whether a setting was, beside auto.
func given(v string) bool { return v != "" && v != auto }

// Memory is the RAM, in bytes, of a guest that has an operating system.
func Memory(s bench.Spec) int64 {
	if n, err := request.ParseSize(s.Settings["memory"]); err == nil {
		return n &^ (1<<20 - 1)
	}
	switch m := s.Limits.Memory; {
	case m > 0 && s.Init:
		// The limit is kept by a cgroup in the guest, as a container's is by
		// one in the host; the kernel and the image have their own RAM.
		return max(defaultMemory, (m+minMemory)&^(1<<20-1))
	case m > 0:
		return m &^ (1<<20 - 1)
	}
	return defaultMemory
}

// CPUs is how many virtual CPUs the guest has.
func CPUs(s bench.Spec) int {
	if n, err := strconv.Atoi(s.Settings["vcpus"]); err == nil {
		return n
	}
	if l := cgroup.CPUs(s.Limits.CPUSet); len(l) > 0 {
		return len(l) // one for each that it may run on
	}
	return max(1, s.CPUs, int(math.Ceil(s.Limits.CPU)))
}

// TBCache is how many bytes QEMU takes for translated code.
func TBCache(s bench.Spec) int64 {
	if n, err := request.ParseSize(s.Settings["tbcache"]); err == nil {
		return n
	}
	return 128 << 20
}

// driverRoom is for what else may be in an initramfs: the init, and modules.
const driverRoom = 8 << 20

// unpackRoom is what the kernel and the guest's init need beside an initramfs.
const unpackRoom = 48 << 20

// Unpacks says whether an initramfs of a size fits into the guest's RAM. It lies
// there twice while the kernel unpacks it, and its files may take half of what
// the first leaves (tmpfs(5)).
func Unpacks(size, memory int64) error {
	need := 3*size + unpackRoom
	if need <= memory {
		return nil
	}
	return bench.NotApplicable(fmt.Sprintf("the image is %d MiB of files in the guest's RAM, which takes %d MiB while the kernel unpacks them, and it has %d", size>>20, need>>20, memory>>20),
		fmt.Sprintf("--variant root=ext4, or memory=%dM", (need+1<<20-1)>>20))
}

// CheckSize says whether the settings make sense, and fit the limits.
func CheckSize(s bench.Spec) error {
	if m := s.Settings["memory"]; given(m) {
		n, err := request.ParseSize(m)
		switch {
		case err != nil:
			return bench.NotApplicable(fmt.Sprintf("memory=%s is %v", m, err), "--variant memory=256M")
		case n < minMemory:
			return bench.NotApplicable(fmt.Sprintf("memory=%s: the guest's kernel needs %d MiB", m, minMemory>>20), "--variant memory=128M")
		case s.Limits.Memory > 0 && !s.Init:
			return bench.NotApplicable("a memory limit is the guest's RAM, and memory="+m+" is, too", "leave out one of the two")
		}
	} else if l := s.Limits.Memory; l != 0 && l < minMemory && !s.Init {
		return bench.NotApplicable(fmt.Sprintf("a memory limit is the guest's RAM, and its kernel needs %d MiB", minMemory>>20), fmt.Sprintf("raise the limit to %dM or more", minMemory>>20))
	}
	if v := s.Settings["vcpus"]; given(v) {
		n, err := strconv.Atoi(v)
		switch {
		case err != nil || n < 1 || n > maxCPUs:
			return bench.NotApplicable(fmt.Sprintf("vcpus=%s isn't a number from 1 to %d", v, maxCPUs), "--variant vcpus=2")
		case n < s.CPUs:
			return bench.NotApplicable(fmt.Sprintf("vcpus=%d: the workload needs %d", n, s.CPUs), fmt.Sprintf("--variant vcpus=%d", s.CPUs))
		case float64(n) < s.Limits.CPU:
			return bench.NotApplicable(fmt.Sprintf("vcpus=%d are fewer than the limit of %g", n, s.Limits.CPU), "lower the limit, or raise vcpus")
		}
	}
	if c := s.Settings["tbcache"]; c != "" {
		if n, err := request.ParseSize(c); err != nil || n < minTBCache {
			return bench.NotApplicable("tbcache="+c+" isn't a size from 1M on", "--variant tbcache=128M")
		}
	}
	return nil
}
