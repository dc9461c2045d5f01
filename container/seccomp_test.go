package container

import (
	"runtime"
	"slices"
	"testing"

	"github.com/elastic/go-seccomp-bpf/arch"
	"github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
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
	for _, f := range Filter() {
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

// TestSeccompAgainstDocker holds the profile against docker's default one, for a
// container with the same capabilities: they allow the same calls.
func TestSeccompAgainstDocker(t *testing.T) {
	spec := &specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{Bounding: []string{
		"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_NET_BIND_SERVICE",
		"CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
	}}}}
	profile, err := seccomp.GetDefaultProfile(spec)
	if err != nil {
		t.Fatal(err)
	}
	theirs := map[string]bool{} // allowed at all, be it for some arguments
	for _, s := range profile.Syscalls {
		for _, name := range s.Names {
			if s.Action == specs.ActAllow {
				theirs[name] = true
			}
		}
	}
	vm := machine(t)
	for name, nr := range numbers(t) {
		if nr > newest {
			continue
		}
		we := judge(t, vm, uint32(nr), auditArch, 0) == allow
		if we != theirs[name] {
			t.Errorf("%s (%d): allowed here %v, by docker %v", name, nr, we, theirs[name])
		}
	}
}
