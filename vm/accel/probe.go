package accel

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/input"
	"lab/bench/results"
)

const (
	// probeTimeout bounds the run under emulation, and kvmTimeout the one under
	// KVM, which has kvmFactor times as long as emulation took: what takes longer
	// is of no use, and there is no point in waiting for its end.
	probeTimeout = 15 * time.Second
	kvmTimeout   = 4 * time.Second
	kvmFactor    = 4
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
	ByLibvirt = "libvirt"
	byQEMU    = "qemu"
)

// Probe finds out what executes guests on this machine, by executing one under
// KVM and under emulation that measures how fast each kind of guest code is. That
// the device is there and opens says little: in a machine that is itself a guest,
// KVM may emulate what kernels consist of, slowly, or not all of it.
//
// The verdict is kept in the cache, and is good until the machine boots anew or
// QEMU changes. Package vm makes it as it opens, with the guest as a domain of
// libvirt's. Where there is none, Probe makes one by QEMU alone, in half a second
// to four: that needs neither libvirt nor a testbed nor, but for /dev/kvm, root.
// An error means that QEMU itself doesn't run.
func Probe(ctx context.Context, cache string) (Verdict, error) {
	qemu, err := FindEmulator()
	if err != nil {
		return Verdict{}, err
	}
	// A file in memory: nothing of it can stay.
	fd, err := unix.MemfdCreate("pace.elf", unix.MFD_CLOEXEC)
	if err != nil {
		return Verdict{}, os.NewSyscallError("memfd_create", err)
	}
	f := os.NewFile(uintptr(fd), "pace.elf")
	defer f.Close()
	if _, err := f.Write(PaceGuest()); err != nil {
		return Verdict{}, err
	}
	guest := fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), fd)
	return probe(ctx, cache, qemu, byQEMU, func(ctx context.Context, accel, cpu string, limit time.Duration) (Pacer, error) {
		return runPace(ctx, qemu, guest, accel, cpu, limit)
	})
}

// A run executes the probe's guest under an accelerator, with a model of CPU, from
// its CPU's start on; the pacer has what came until the error. That wraps
// context.DeadlineExceeded where the guest took longer than limit.
type run func(ctx context.Context, accel, cpu string, limit time.Duration) (Pacer, error)

// ProbeHere is the cached verdict of libvirt's guests on this machine, or else the
// one that run finds out, which is kept.
func ProbeHere(ctx context.Context, cache, qemu string, r run) (Verdict, error) {
	return probe(ctx, cache, qemu, ByLibvirt, r)
}

// probe is either, by whoever runs the guest. A verdict that came through libvirt
// serves both.
func probe(ctx context.Context, cache, qemu, by string, r run) (Verdict, error) {
	v, err := cachedVerdict(cache, qemu)
	if err != nil || v.By == ByLibvirt || v.By == by {
		return v, err
	}
	v = Verdict{Key: v.Key}
	v.By = by
	if err = v.find(ctx, KVMOpens(), r); err == nil {
		v.keep(cache)
	}
	return v, err
}

// ProbeElsewhere is the verdict on the machine of a foreign libvirt, which says
// whether it has KVM at all. It isn't kept: what this machine has doesn't matter.
func ProbeElsewhere(ctx context.Context, open error, r run) (Verdict, error) {
	v := Verdict{elsewhere: true}
	v.By = ByLibvirt
	err := v.find(ctx, open, r)
	return v, err
}

// cachedVerdict is the one in the cache, or an empty one, with its key alone.
func cachedVerdict(cache, qemu string) (v Verdict, err error) {
	key, err := CapsKey(qemu)
	if err != nil {
		return v, err
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return v, err
	}
	key = "rates " + strings.TrimSpace(string(boot)) + " " + key + " " + fmt.Sprint(KVMOpens())
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
func (v *Verdict) find(ctx context.Context, open error, run run) error {
	v.Use = "tcg"
	began := time.Now()
	tcg, err := run(ctx, "tcg", "qemu64", probeTimeout)
	// A machine that is busy, or emulated itself, may be too slow for it; that
	// says nothing against KVM, nor that emulation doesn't work.
	slow := errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil
	if err != nil && !slow {
		return err
	}
	limit := min(probeTimeout, max(kvmTimeout, kvmFactor*time.Since(began)))
	v.TCGPace = tcg.pace()
	if open != nil {
		v.Device = open.Error()
		v.Reason = "KVM can't be used: " + open.Error() + "."
		if errors.Is(open, os.ErrNotExist) {
			v.Device = "no /dev/kvm"
			v.Reason = "There is no /dev/kvm: the CPU's virtualization is off, or this machine is a guest without it."
		}
		if slow {
			v.Reason += fmt.Sprintf(" The test guest wasn't done after %.0f s when emulated: starts will take long.", probeTimeout.Seconds())
		}
		return nil
	}
	v.Device = "/dev/kvm opens"
	if v.elsewhere {
		v.Device = "the foreign libvirt offers KVM"
	}
	var kvm Pacer
	for _, v.CPU = range models {
		if v.CPU == "host-model" && v.By == byQEMU {
			continue // libvirt's word
		}
		// Once a guest executes code, another model of CPU makes it no better.
		if kvm, err = run(ctx, "kvm", v.CPU, limit); err == nil || kvm.current > 0 || errors.Is(err, context.DeadlineExceeded) {
			break
		}
	}
	cpuinfo := []byte(nil)
	if !v.elsewhere {
		cpuinfo, _ = os.ReadFile("/proc/cpuinfo")
	}
	// The CPU's own virtualization isn't slower than emulation: then something else
	// kept the machine busy, and the better of two looks counts, of both.
	if err == nil && !slow && virtualizes(string(cpuinfo)) && kvm.pace().Ring0 < v.TCGPace.Ring0 {
		if x, e := run(ctx, "tcg", "qemu64", probeTimeout); e == nil {
			tcg.better(x)
		}
		if x, e := run(ctx, "kvm", v.CPU, probeTimeout); e == nil {
			kvm.better(x)
		}
		v.TCGPace = tcg.pace()
	}
	v.judge(kvm, limit, err, string(cpuinfo))
	return ctx.Err()
}

// judge compares KVM's run with emulation's, and says why. cpuinfo is the
// machine's, or "" of one that isn't this.
func (v *Verdict) judge(kvm Pacer, limit time.Duration, err error, cpuinfo string) {
	k, e := kvm.pace(), v.TCGPace
	v.KVMPace = k
	if cpuinfo != "" || k.Ring0 > 0 {
		v.Kind = kindOf(k, cpuinfo)
	}
	kind := ""
	if v.Kind != "" {
		kind = " (" + kindWords[v.Kind] + ")"
	}
	emulated := ""
	if e.Ring0 > 0 {
		emulated = fmt.Sprintf(", and %s when emulated", speed(e.Ring0))
	}
	// What the guest ran, the ring of kernels first.
	ran := ""
	if k.Ring0 > 0 {
		ran = fmt.Sprintf("in ring 0, where kernels run, the test guest executed %s instructions a second%s", speed(k.Ring0), emulated)
	}
	if k.Ring3 > 0 {
		ran += fmt.Sprintf("; in ring 3 %s", speed(k.Ring3))
	}
	broke := ""
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		broke = fmt.Sprintf("it wasn't done after %.1f s, %s", limit.Seconds(), kvm.lack())
	case err != nil:
		broke = fmt.Sprintf("it stopped %s (%v)", kvm.lack(), err)
	}
	switch {
	case err != nil && ran == "":
		v.Reason = fmt.Sprintf("KVM is there%s, but unusable: %s.", kind, strings.Replace(broke, "it ", "the test guest ", 1))
	case k.Ring0 > 0 && k.Ring0 < e.Ring0:
		v.Reason = fmt.Sprintf("KVM is there%s, but slower than emulation: %s.", kind, strings.Join(nonEmpty(ran, broke), "; "))
	case err != nil:
		v.Reason = fmt.Sprintf("KVM is there%s, but doesn't execute all that guests consist of: %s; %s.", kind, broke, ran)
	default:
		v.Use = "kvm"
		v.Reason = fmt.Sprintf("KVM works%s: %s; %s page faults and %s system calls a second.", kind, ran, speed(k.Faults), speed(k.Calls))
	}
}

// kindWords say what a kind of KVM means for figures.
var kindWords = map[string]string{
	results.KVMHardware:    "the CPU's own virtualization",
	results.KVMNested:      "the CPU's virtualization, handed on to this machine, which is itself a guest: each exit costs more than on a machine of its own",
	results.KVMParavirtual: "paravirtual, without the CPU's virtualization: ring 3 is native, ring 0 is emulated",
}

func nonEmpty(all ...string) []string {
	return slices.DeleteFunc(all, func(s string) bool { return s == "" })
}

// KVMOpens says why /dev/kvm can't be used at all, or nil.
func KVMOpens() error {
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

// CapsKey names what QEMU's capabilities depend on: the program's file, and the
// kernel that it runs on.
func CapsKey(emulator string) (string, error) {
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
