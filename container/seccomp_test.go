package container

import (
	"runtime"
	"slices"
	"testing"
	"unsafe"

	"github.com/elastic/go-seccomp-bpf/arch"
	"github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"lab/bench/confine"
	"lab/bench/launch"
)

// judge runs the filter as the kernel would, on an independent implementation
// of the machine. That one reads big-endian, as it was made for packets; the
// input is laid out so that it comes to the same.
func judge(t *testing.T, vm *bpf.VM, nr, audit, arg0 uint32) uint32 {
	t.Helper()
	data := make([]byte, 64)
	put := func(off int, v uint32) {
		data[off], data[off+1], data[off+2], data[off+3] = byte(v>>24), byte(v>>16), byte(v>>8), byte(v)
	}
	put(offNr, nr)
	put(offArch, audit)
	put(offArg0, arg0)
	v, err := vm.Run(data)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(v)
}

func machine(t *testing.T) *bpf.VM {
	t.Helper()
	var prog []bpf.Instruction
	for _, f := range Filter(false) {
		prog = append(prog, bpf.RawInstruction{Op: f.Code, Jt: f.Jt, Jf: f.Jf, K: f.K}.Disassemble())
	}
	vm, err := bpf.NewVM(prog)
	if err != nil {
		t.Fatal(err)
	}
	return vm
}

func numbers(t *testing.T) map[string]int {
	t.Helper()
	a, err := arch.GetInfo(runtime.GOARCH)
	if err != nil {
		t.Skip(err)
	}
	return a.SyscallNames
}

func TestSeccompVerdicts(t *testing.T) {
	vm := machine(t)
	for _, c := range []struct {
		what            string
		nr, audit, arg0 uint32
		want            uint32
	}{
		{"read", unix.SYS_READ, auditArch, 0, allow},
		{"execve", unix.SYS_EXECVE, auditArch, 0, allow},
		{"mount", unix.SYS_MOUNT, auditArch, 0, eperm},
		{"read of another instruction set", unix.SYS_READ, auditArch ^ 1, 0, enosys},
		{"a call that isn't there yet", newest + 1, auditArch, 0, enosys},
		{"the x32 range", 0x40000000 + unix.SYS_READ, auditArch, 0, enosys},
		{"the last number", 0xffffffff, auditArch, 0, enosys},
		{"clone of a thread", unix.SYS_CLONE, auditArch, unix.CLONE_VM | unix.CLONE_THREAD, allow},
		{"clone with a user namespace", unix.SYS_CLONE, auditArch, unix.CLONE_NEWUSER | unix.CLONE_VM, eperm},
		{"clone with a mount namespace", unix.SYS_CLONE, auditArch, unix.CLONE_NEWNS, eperm},
		{"clone3", unix.SYS_CLONE3, auditArch, 0, enosys},
		{"socket", unix.SYS_SOCKET, auditArch, unix.AF_INET, allow},
		{"socket of vsock", unix.SYS_SOCKET, auditArch, unix.AF_VSOCK, eperm},
		{"socket of the kernel's cryptography", unix.SYS_SOCKET, auditArch, unix.AF_ALG, eperm},
		{"socket of an unknown family", unix.SYS_SOCKET, auditArch, 63, eperm},
		{"personality 0", unix.SYS_PERSONALITY, auditArch, 0, allow},
		{"personality ADDR_NO_RANDOMIZE", unix.SYS_PERSONALITY, auditArch, 0x40000, eperm},
		{"personality ?", unix.SYS_PERSONALITY, auditArch, 0xffffffff, allow},
		{"personality 0x20008", unix.SYS_PERSONALITY, auditArch, 0x20008, allow},
	} {
		if got := judge(t, vm, c.nr, c.audit, c.arg0); got != c.want {
			t.Errorf("%s: %#x, want %#x", c.what, got, c.want)
		}
	}
}

// TestSeccompBySpan runs every number through the program and through the list
// that it was made from.
func TestSeccompBySpan(t *testing.T) {
	vm := machine(t)
	for nr := range uint32(newest + 50) {
		if nr == unix.SYS_CLONE || nr == unix.SYS_PERSONALITY || nr == unix.SYS_SOCKET {
			continue
		}
		want := allow
		switch {
		case nr > newest || nr == unix.SYS_CLONE3:
			want = enosys
		case slices.Contains(refused, nr) || slices.Contains(refusedHere, nr):
			want = eperm
		}
		if got := judge(t, vm, nr, auditArch, 0); got != want {
			t.Errorf("call %d: %#x, want %#x", nr, got, want)
		}
	}
}

// docker is Docker's default profile, for a container with the same capabilities.
func docker(t *testing.T) *specs.LinuxSeccomp {
	t.Helper()
	profile, err := seccomp.GetDefaultProfile(&specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{Bounding: confine.CapabilityNames()}}})
	if err != nil {
		t.Fatal(err)
	}
	return profile
}

// verdict is what a profile says of a call whose first argument is arg0. As in
// libseccomp a rule that allows goes before the default action, and several
// rules of a call are alternatives; arguments other than the first are 0.
func verdict(t *testing.T, p *specs.LinuxSeccomp, name string, arg0 uint64) uint32 {
	t.Helper()
	action := func(a specs.LinuxSeccompAction, errno *uint) uint32 {
		switch {
		case a == specs.ActAllow:
			return allow
		case a == specs.ActErrno && errno != nil:
			return unix.SECCOMP_RET_ERRNO | uint32(*errno)
		case a == specs.ActErrno:
			return eperm
		}
		t.Fatalf("%s: action %s", name, a)
		return 0
	}
	for _, s := range p.Syscalls {
		if !slices.Contains(s.Names, name) {
			continue
		}
		fits := true
		for _, a := range s.Args {
			v := uint64(0)
			if a.Index == 0 {
				v = arg0
			}
			switch a.Op {
			case specs.OpEqualTo:
				fits = fits && v == a.Value
			case specs.OpNotEqual:
				fits = fits && v != a.Value
			case specs.OpLessThan:
				fits = fits && v < a.Value
			case specs.OpLessEqual:
				fits = fits && v <= a.Value
			case specs.OpGreaterThan:
				fits = fits && v > a.Value
			case specs.OpGreaterEqual:
				fits = fits && v >= a.Value
			case specs.OpMaskedEqual:
				fits = fits && v&a.Value == a.ValueTwo
			default:
				t.Fatalf("%s: operator %s", name, a.Op)
			}
		}
		if fits {
			return action(s.Action, s.ErrnoRet)
		}
	}
	return action(p.DefaultAction, p.DefaultErrnoRet)
}

// samples are first arguments that could matter to any filter: all small numbers
// (a socket's family), each bit and each pair of bits (flags), each value that
// a rule of the profile compares with, and its neighbours.
func samples(p *specs.LinuxSeccomp) []uint32 {
	out := []uint32{0xffffffff, 0xfffffffe, 0x7fffffff}
	for v := range uint32(300) {
		out = append(out, v)
	}
	for i := range 32 {
		for k := range 32 {
			out = append(out, 1<<i|1<<k, ^uint32(1<<i|1<<k))
		}
	}
	for _, s := range p.Syscalls {
		for _, a := range s.Args {
			out = append(out, uint32(a.Value-1), uint32(a.Value), uint32(a.Value+1), ^uint32(a.Value))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// TestSeccompAgainstDocker holds the whole filter against Docker's default one:
// the same verdict for each call, whatever its first argument is. The others
// are looked at by neither, which the test makes sure of. Of an argument both
// compare the low half alone here: the kernel itself takes no more of it.
func TestSeccompAgainstDocker(t *testing.T) {
	theirs := docker(t)
	for _, s := range theirs.Syscalls {
		for _, a := range s.Args {
			if a.Index != 0 || a.Value>>32 != 0 {
				t.Fatalf("%v: Docker's profile compares argument %d with %#x", s.Names, a.Index, a.Value)
			}
		}
	}
	vm, args := machine(t), samples(theirs)
	for name, nr := range numbers(t) {
		if nr > newest {
			continue
		}
		for _, arg0 := range args {
			got, want := judge(t, vm, uint32(nr), auditArch, arg0), verdict(t, theirs, name, uint64(arg0))
			if got != want {
				t.Errorf("%s (%d) with %#x: %#x, by Docker %#x", name, nr, arg0, got, want)
				break
			}
		}
	}
}

// TestSeccompFilterLoads has this kernel check the filter, and make a socket of
// each family through it.
func TestSeccompFilterLoads(t *testing.T) {
	err := launch.Do(func() error {
		f := Filter(false)
		prog := &unix.SockFprog{Len: uint16(len(f)), Filter: &f[0]}
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return err
		}
		if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(prog))); errno != 0 {
			return errno
		}
		for family := range 100 {
			// A type that no family has: what passes the filter makes nothing.
			_, err := unix.Socket(family, 15, 0)
			if refused := err == unix.EPERM; refused != (family > newestFamily || slices.Contains(refusedFamilies, family)) {
				t.Errorf("family %d: %v", family, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
