package accel

import (
	"os"
	"os/exec"

	"lab/bench"
)

// FindEmulator finds QEMU.
func FindEmulator() (string, error) {
	for _, p := range []string{"/usr/bin/qemu-system-x86_64", "/usr/local/bin/qemu-system-x86_64", "/usr/libexec/qemu-kvm"} {
		if _, err := exec.LookPath(p); err == nil {
			return p, nil
		}
	}
	return "", bench.Unavailable("QEMU (qemu-system-x86_64) isn't installed", "make setup")
}

// Qboot is a firmware that does nothing but start a kernel.
const Qboot = "/usr/share/qemu/qboot.rom"

// HasQboot says whether QEMU came with it.
func HasQboot() bool {
	_, err := os.Stat(Qboot)
	return err == nil
}
