package vm

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// An emulated guest's clock doesn't go by ticks of 4 ms, be the machine as busy as it may:
// it is told the rate of the counter that it would measure in vain.
func TestClockOnBusyMachine(t *testing.T) {
	if os.Getenv("LAB_LONG") == "" {
		t.Skip("SKIPPED: keeps the whole machine busy; fix: LAB_LONG=1")
	}
	e := open(t)
	if runtime.GOARCH != "amd64" || e.resolve("auto") == "kvm" {
		t.Skip("SKIPPED: KVM tells its guests the time")
	}
	runtime.LockOSThread() // the loops end with it
	for range 3 * runtime.NumCPU() {
		c := exec.Command("sh", "-c", "while :; do :; done")
		c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Process.Kill(); c.Wait() })
	}
	s := spec(t, e, "/bin/sh", "/script")
	s.Image = withScript(t, "b=/bin/busybox; $b mkdir -p /sys; $b mount -t sysfs sys /sys; echo clock $($b cat /sys/devices/system/clocksource/clocksource0/current_clocksource).")
	i := start(t, e, s)
	if _, err := i.Wait(within(t, 3*time.Minute)); err != nil {
		t.Fatal(err)
	}
	if err := i.Close(); err != nil {
		t.Error(err)
	}
	said, err := os.ReadFile(filepath.Join(e.tb.Dir, "logs", i.cfg.Name+".console"))
	if err != nil || !strings.Contains(string(said), "clock tsc") {
		t.Errorf("the guest says %q, %v", said, err)
	}
}
