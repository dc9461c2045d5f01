package vm

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/input"
	"lab/bench/results"
)

const (
	// probeLoops is long enough to tell a CPU (0.1 s) from an emulator of
	// it (several times that).
	probeLoops = 200_000_000

	// probeTimeout bounds the run under emulation, and kvmTimeout the one
	// under KVM: what takes several times as long as emulation is of no use,
	// and there is no point in waiting for its end.
	probeTimeout = 15 * time.Second
	kvmTimeout   = 3 * time.Second
	kvmFactor    = 6
)

// A Verdict is what the probe found out about acceleration.
type Verdict struct {
	results.Acceleration
	elsewhere bool // it is about another libvirt's machine

	CPU string `json:"cpu"` // the CPU model with which KVM starts: host, qemu64; "" without KVM
	Key string `json:"key"` // what it depends on
}

// Who ran the probe's guest.
const (
	byLibvirt = "libvirt"
	byQEMU    = "qemu"
)

// Probe finds out what executes guests on this machine, by executing one:
// [Tiny], under KVM and under emulation. That the device is there and opens says
// little: in a machine that is itself a guest, KVM may be emulated so slowly, or
// so incompletely, that it is of no use.
//
// The verdict is kept in the cache, and is good until the machine boots anew or
// QEMU changes. [Env] makes it as it opens, with the guest as a domain of
// libvirt's. Where there is none, Probe makes one by QEMU alone, in half a second
// to four: that needs neither libvirt nor a testbed nor, but for /dev/kvm, root.
// An error means that QEMU itself doesn't run.
func Probe(ctx context.Context, cache string) (Verdict, error) {
	qemu, err := findEmulator()
	if err != nil {
		return Verdict{}, err
	}
	v, err := cachedVerdict(cache, qemu)
	if err != nil || v.By != "" {
		return v, err
	}
	v.By = byQEMU
	// A file in memory: nothing of it can stay.
	fd, err := unix.MemfdCreate("tiny.elf", unix.MFD_CLOEXEC)
	if err != nil {
		return v, os.NewSyscallError("memfd_create", err)
	}
	f := os.NewFile(uintptr(fd), "tiny.elf")
	defer f.Close()
	if _, err := f.Write(Tiny(probeLoops)); err != nil {
		return v, err
	}
	guest := fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), fd)
	if err := v.find(ctx, kvmOpens(), func(ctx context.Context, accel, cpu string, limit time.Duration) (time.Duration, error) {
		return runTiny(ctx, qemu, guest, accel, cpu, limit)
	}); err != nil {
		return v, err
	}
	v.keep(cache)
	return v, nil
}

// cachedVerdict is the one in the cache, or an empty one, with its key alone.
func cachedVerdict(cache, qemu string) (v Verdict, err error) {
	key, err := capsKey(qemu)
	if err != nil {
		return v, err
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return v, err
	}
	key = strings.TrimSpace(string(boot)) + " " + key + " " + fmt.Sprint(kvmOpens())
	b, err := input.ReadFile(verdictFile(cache), 1<<20)
	if err == nil && json.Unmarshal(b, &v) == nil && v.Key == key && v.By != "" {
		return v, nil
	}
	return Verdict{Key: key}, nil
}

func verdictFile(cache string) string { return filepath.Join(cache, "acceleration.json") }

// keep writes a verdict to the cache. Without a cache it is found out anew each
// time.
func (v *Verdict) keep(cache string) {
	if b, err := json.MarshalIndent(v, "", "\t"); err == nil {
		if tmp := verdictFile(cache) + ".new"; os.WriteFile(tmp, b, 0o644) == nil {
			os.Rename(tmp, verdictFile(cache))
		}
	}
}

// models are CPU models under KVM, the best first: the machine's own; what
// libvirt makes of it by name and features; the least that there is.
var models = []string{"host", "host-model", "qemu64"}

// find runs the guest both ways, and judges.
func (v *Verdict) find(ctx context.Context, open error, run func(ctx context.Context, accel, cpu string, limit time.Duration) (time.Duration, error)) error {
	v.Use = "tcg"
	tcg, err := run(ctx, "tcg", "qemu64", probeTimeout)
	// A machine that is busy, or emulated itself, may be too slow for it; that
	// says nothing against KVM, nor that emulation doesn't work.
	slow := errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil
	if err != nil && !slow {
		return err
	}
	v.TCG = tcg.Seconds()
	if open != nil {
		v.Device = open.Error()
		v.Reason = "KVM can't be used: " + open.Error() + "."
		if errors.Is(open, os.ErrNotExist) {
			v.Device = "no /dev/kvm"
			v.Reason = "There is no /dev/kvm: the CPU's virtualization is off, or this machine is a guest without it."
		}
		if slow {
			v.Reason += " A small guest " + v.emulated() + ": starts will take long."
		}
		return nil
	}
	v.Device = "/dev/kvm opens"
	if v.elsewhere {
		v.Device = "the foreign libvirt offers KVM"
	}
	limit := max(kvmTimeout, kvmFactor*tcg)
	if slow {
		limit = probeTimeout
	}
	var kvm time.Duration
	for _, v.CPU = range models {
		if v.CPU == "host-model" && v.By == byQEMU {
			continue // libvirt's word
		}
		if kvm, err = run(ctx, "kvm", v.CPU, limit); err == nil || errors.Is(err, context.DeadlineExceeded) {
			break
		}
	}
	v.judge(kvm, limit, err)
	return ctx.Err()
}

// emulated says how long the guest took under emulation.
func (v *Verdict) emulated() string {
	if v.TCG == 0 {
		return fmt.Sprintf("wasn't done after %.0f s when emulated", probeTimeout.Seconds())
	}
	return fmt.Sprintf("took %.2f s when emulated", v.TCG)
}

// judge compares KVM's run with emulation's, and says why.
func (v *Verdict) judge(kvm, limit time.Duration, err error) {
	where := ""
	if nested() && !v.elsewhere {
		where = "; this machine is itself a guest, and its KVM is not the CPU's own"
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		v.Reason = fmt.Sprintf("KVM is present, but unusable: a tiny test guest wasn't done after %.1f s with it, and %s%s.", limit.Seconds(), v.emulated(), where)
	case err != nil:
		v.Reason = fmt.Sprintf("KVM is present, but QEMU can't run a guest with it (%v)%s.", err, where)
	case v.TCG != 0 && kvm.Seconds() >= v.TCG:
		v.KVM = kvm.Seconds()
		v.Reason = fmt.Sprintf("KVM is present, but slower than emulation: the same tiny guest took %.2f s with it and %.2f s when emulated%s.", v.KVM, v.TCG, where)
	default:
		v.Use, v.KVM = "kvm", kvm.Seconds()
		v.Reason = fmt.Sprintf("KVM works: a small guest took %.2f s with it and %s.", v.KVM, strings.TrimPrefix(v.emulated(), "took "))
		return
	}
}

// nested says whether this machine is itself a guest: CPUID tells every guest,
// and the kernel shows it as a CPU flag.
func nested() bool {
	b, _ := os.ReadFile("/proc/cpuinfo")
	for line := range bytes.Lines(b) {
		if bytes.HasPrefix(line, []byte("flags")) {
			return bytes.Contains(line, []byte(" hypervisor"))
		}
	}
	return false
}

// kvmOpens says why /dev/kvm can't be used at all, or nil.
func kvmOpens() error {
	fd, err := unix.Open("/dev/kvm", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: "/dev/kvm", Err: err}
	}
	defer unix.Close(fd)
	const getAPIVersion = 0xae00 // KVM_GET_API_VERSION, always 12 (Documentation/virt/kvm/api.rst)
	if v, err := unix.IoctlRetInt(fd, getAPIVersion); err != nil || v != 12 {
		return fmt.Errorf("/dev/kvm doesn't speak KVM's interface 12: %d, %v", v, err)
	}
	return nil
}

// capsKey names what QEMU's capabilities depend on: the program's file, and the
// kernel that it runs on.
func capsKey(emulator string) (string, error) {
	var st unix.Stat_t
	if err := unix.Stat(emulator, &st); err != nil {
		return "", &os.PathError{Op: "stat", Path: emulator, Err: err}
	}
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "", os.NewSyscallError("uname", err)
	}
	h := sha256.Sum256(fmt.Appendf(nil, "%s %d %d %d %s", emulator, st.Size, st.Mtim.Nano(), st.Ctim.Nano(),
		unix.ByteSliceToString(u.Release[:])))
	return hex.EncodeToString(h[:8]), nil
}
