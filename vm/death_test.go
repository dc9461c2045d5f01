package vm

import (
	"bytes"
	"fmt"

	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/digitalocean/go-libvirt"
	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/benchtest"
	"lab/bench/cgroup"
	"lab/bench/clock"
	"lab/bench/image"
	"lab/vm/accel"
	"lab/vm/client"
	"lab/vm/daemon"
)

// What ends a QEMU is said by its name, and at once.

// initGuest is a guest whose init runs a command.
func initGuest(t *testing.T, e *Env, argv ...string) *instance {
	t.Helper()
	s := spec(t, e, argv...)
	s.Init = true
	return start(t, e, s)
}

func TestQEMUKilledUnderInit(t *testing.T) {
	e := open(t)
	i := initGuest(t, e, "/bin/sleep", "1000")
	began := time.Now()
	if err := unix.Kill(i.pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_, err := i.Wait(within(t, 20*time.Second))
	says(t, began, 3*time.Second, err, "QEMU was killed by signal 9 (SIGKILL)")
	i.Close()
	works(t, e)
}

func TestQEMULimited(t *testing.T) {
	e := open(t)
	i := initGuest(t, e, "/bin/sleep", "1000")
	if err := unix.Kill(i.pid, unix.SIGXCPU); err != nil { // as the kernel does at a limit
		t.Fatal(err)
	}
	_, err := i.Wait(within(t, time.Minute))
	says(t, time.Now(), time.Minute, err, "QEMU was killed by signal 24 (SIGXCPU)", "ulimit -t")
	i.Close()
}

func TestQEMUOutOfMemory(t *testing.T) {
	e := open(t)
	tree := benchtest.Testbed(t).Cgroups
	if tree == nil || !tree.Has("memory") {
		t.Skip("SKIPPED: no memory controller here")
	}
	i := initGuest(t, e, "/bin/sh", "-c", "sleep 5; dd if=/dev/zero of=/filled bs=1M count=60; sleep 1000")
	g, err := tree.New(cgroup.Limits{Memory: 24 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Remove()
	for _, dir := range g.Dirs() {
		writeFile(t, filepath.Join(dir, "cgroup.procs"), fmt.Appendln(nil, i.pid))
	}
	_, err = i.Wait(within(t, time.Minute))
	says(t, time.Now(), time.Minute, err, "QEMU was killed by signal 9 (SIGKILL)", "memory ran out")
	i.Close()
}

// A guest whose CPU was stopped says nothing, for ever.
func TestGuestStops(t *testing.T) {
	e := open(t)
	for name, asked := range map[string]bool{"by an internal error": false, "by somebody": true} {
		t.Run(name, func(t *testing.T) {
			i := start(t, e, spec(t, e, image.ReadyPath, "token"))
			began := time.Now()
			if err := i.conn.Call(within(t, time.Minute), "stop", client.CallTimeout, func(l *libvirt.Libvirt) error {
				d, err := l.DomainLookupByName(i.cfg.Name)
				switch {
				case err != nil:
				case asked:
					err = l.DomainSuspend(d)
				default:
					// What libvirt hears of an internal error is that QEMU has
					// stopped the CPU.
					// The guest is ended at once, maybe before QEMU has answered.
					l.QEMUDomainMonitorCommand(d, `{"execute":"stop"}`, 0)
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
			_, err := clock.AwaitToken(i.Ready(), []byte("token"), 4*time.Second)
			err = i.Explain(err)
			if asked {
				says(t, began, 6*time.Second, err, "the guest runs on")
				i.Close()
				return
			}
			says(t, began, 3*time.Second, err, "its CPU was stopped: an internal error of KVM's or QEMU's")
			_, err = i.Wait(within(t, 10*time.Second))
			says(t, began, 3*time.Second, err, "stood still", "its CPU was stopped")
			if who := bench.Whose(err); who != bench.BlameMachine {
				t.Errorf("blames %s", who)
			}
			i.Close()
			works(t, e)
		})
	}
}

// An instruction that a KVM without hardware can't emulate stops the guest. Where
// the hardware executes it the guest goes on, and switches itself off.
func TestKVMInternalError(t *testing.T) {
	if err := accel.KVMOpens(); err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	e := open(t)
	file := filepath.Join(e.bed(), "fwait.elf")
	// "mov ecx, 1" as "fwait; xor ecx, ecx; inc ecx; nop".
	writeFile(t, file, bytes.Replace(accel.Tiny(1), []byte{0xb9, 1, 0, 0, 0}, []byte{0x9b, 0x31, 0xc9, 0x41, 0x90}, 1))
	i := e.newInstance(bench.Spec{Settings: map[string]string{"accel": "kvm"}}, e.plain())
	i.cfg.CPU = "qemu64"
	if accel.HasQboot() {
		i.cfg.Firmware = accel.Qboot // such a KVM takes some 10 s for the BIOS
	}
	if err := i.prepareBare(within(t, time.Minute), file); err != nil {
		t.Fatal(err)
	}
	if err := i.Start(within(t, time.Minute)); err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	_, err := clock.AwaitToken(i.Ready(), []byte{accel.TinyEnd}, 30*time.Second)
	if err == nil {
		t.Skip("SKIPPED: this KVM executes all instructions")
	}
	says(t, time.Now(), time.Second, i.Explain(err), "internal error", "KVM internal error")
}

func TestKVMSaid(t *testing.T) {
	log := `2026-11-28 13:48:26.247+0000: starting up libvirt version: 9.0.0
LC_ALL=C /usr/bin/qemu-system-x86_64 -name guest=x
KVM internal error. Suberror: 1
emulation failure
EAX=00000000 EBX=00001000
2026-11-28T13:55:37.415686Z qemu-system-x86_64: warning: host doesn't support it
2026-11-28T13:55:37.415686Z qemu-system-x86_64: terminating on signal 15 from pid 1 (libvirtd)
2026-11-28T13:55:37.415686Z qemu-system-x86_64: could not load it
`
	got := daemon.QEMUSaid([]byte(log))
	for _, want := range []string{"KVM internal error. Suberror: 1", "emulation failure", "could not load it"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
	for _, not := range []string{"EAX", "warning", "terminating"} {
		if strings.Contains(got, not) {
			t.Errorf("%q has %s", got, not)
		}
	}
}
