package trace

import (
	"encoding/binary"
	"os"
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Requests of the KVM API (Documentation/virt/kvm/api.rst).
const (
	kvmCreateVM      = 0xae01
	kvmMmapSize      = 0xae04
	kvmCreateVCPU    = 0xae41
	kvmSetUserMemory = 0x4020ae46
	kvmRun           = 0xae80
	kvmSetRegs       = 0x4090ae82
	kvmGetSregs      = 0x8138ae83
	kvmSetSregs      = 0x4138ae84
)

// A guest of three instructions that writes to a port leaves its processor for each, and
// is counted both ways. What a port's exit is called isn't asked: a KVM that emulates such
// code leaves without a word of the processor's.
func TestExits(t *testing.T) {
	ids, err := pointIDs()
	kvm, kerr := unix.Open("/dev/kvm", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil || kerr != nil || ids[1] == 0 || runtime.GOARCH != "amd64" {
		t.Skip("SKIPPED: no guest's exits can be counted here: ", err, kerr)
	}
	defer unix.Close(kvm)
	call := func(fd int, request, arg uintptr) int {
		n, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, arg)
		if errno != 0 && errno != unix.EINTR { // a signal of Go's scheduler ends a run
			t.Skipf("SKIPPED: this machine's KVM refuses %#x: %v", request, errno)
		}
		return int(n)
	}
	vm := call(kvm, kvmCreateVM, 0)
	defer unix.Close(vm)
	mem, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(mem)
	copy(mem, "\xba\xf8\x03\xee\xeb\xfd") // mov $0x3f8, %dx; again: out %al, (%dx); jmp again
	region := [4]uint64{0, 0, 4096, uint64(uintptr(unsafe.Pointer(&mem[0])))}
	call(vm, kvmSetUserMemory, uintptr(unsafe.Pointer(&region)))
	cpu := call(vm, kvmCreateVCPU, 0)
	defer unix.Close(cpu)
	state, err := unix.Mmap(cpu, 0, call(kvm, kvmMmapSize, 0), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(state)
	var sregs [312]byte
	call(cpu, kvmGetSregs, uintptr(unsafe.Pointer(&sregs)))
	binary.NativeEndian.PutUint64(sregs[:], 0)    // cs: its base,
	binary.NativeEndian.PutUint16(sregs[8+4:], 0) // and its selector
	call(cpu, kvmSetSregs, uintptr(unsafe.Pointer(&sregs)))
	regs := [18]uint64{17: 2} // rflags
	call(cpu, kvmSetRegs, uintptr(unsafe.Pointer(&regs)))
	const runs = 20
	for name, open := range map[string]func([]int) (*Watch, error){"all": New, "exits alone": NewExits} {
		w, err := open([]int{os.Getpid()})
		if err != nil {
			t.Fatal(err)
		}
		for range runs {
			call(cpu, kvmRun, 0)
		}
		c := w.Stop()
		var sum int64
		for _, n := range c.Causes {
			sum += n
		}
		t.Logf("%s: %d exits, %v", name, c.Exits, c.Causes)
		if c.Exits == 0 {
			t.Skip("SKIPPED: this machine's KVM tells of no exits")
		}
		if name == "all" && sum+c.Lost < c.Exits {
			t.Errorf("%d exits, of which %d have a cause", c.Exits, sum)
		}
		if name != "all" && (c.Calls != 0 || sum != 0) {
			t.Errorf("exits alone: %+v", c)
		}
	}
}
