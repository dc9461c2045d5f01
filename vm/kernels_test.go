package vm

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lab/bench/results"
	"lab/vm/accel"
)

// Guests boot the kernel that their row names, by its version in the cache or by a path,
// with the parameters that it adds; its bytes are recorded, and two that have one version
// are two kernels.
func TestKernelsOfRows(t *testing.T) {
	e := open(t)
	own, err := e.kernel(spec(t, e))
	if err != nil {
		t.Fatal(err)
	}
	// The same kernel with a byte behind its end, as a stranger's of the same version.
	data, err := own.Read()
	if err != nil {
		t.Fatal(err)
	}
	data = append(data, 0)
	dir := t.TempDir()
	other := filepath.Join(dir, "boot", filepath.Base(own.Image))
	if err := os.Mkdir(filepath.Dir(other), 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, other, data)
	sum := sha256.Sum256(data)
	digests := map[string]string{own.Version: own.Digest, other: "sha256:" + hex.EncodeToString(sum[:])}
	for name, digest := range digests {
		for append, want := range map[string]string{"none": "Mitigation: ", "mitigations=off lab.test=1": "Vulnerable: "} {
			s := spec(t, e, "/bin/sh", "/script")
			s.Image = withScript(t, "b=/bin/busybox; $b mkdir -p /proc /sys; $b mount -t proc proc /proc; $b mount -t sysfs sys /sys; $b uname -r; $b cat /proc/cmdline /sys/devices/system/cpu/vulnerabilities/spectre_v1; echo the end; exit 7")
			s.Settings["kernel"], s.Settings["append"], s.Settings["boot"] = name, append, "bzimage"
			i := start(t, e, s)
			if exit, err := i.Wait(within(t, time.Minute)); err != nil || exit.Status() != 7 {
				t.Errorf("%s, %s: %v, %v", name, append, exit, err)
			}
			if err := i.Close(); err != nil {
				t.Error(err)
			}
			said, _ := os.ReadFile(filepath.Join(e.tb.Dir, "logs", i.cfg.Name+".console"))
			for _, w := range []string{own.Version, want, "the end"} {
				if !strings.Contains(string(said), w) {
					t.Errorf("%s, %s: the guest didn't say %q: %q", name, append, w, said)
				}
			}
			if told := strings.Contains(string(said), " tsc_early_khz="); told != (accel.TSC() > 0 && e.resolve("auto") != "kvm") {
				t.Errorf("%s: the guest is told the rate of its clock: %v; %q", name, told, said)
			}
			if strings.Contains(string(said), " "+append+" ") != (append != "none") {
				t.Errorf("%s: the command line has other parameters than %s: %q", name, append, said)
			}
			set := e.Resolved(s)
			if set["kernel-version"] != own.Version || set[results.KernelDigest] != digest {
				t.Errorf("%s: %v, want %s", name, set, digest)
			}
		}
	}
}
