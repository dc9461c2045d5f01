package vm

import (
	"testing"
)

func TestParseStat(t *testing.T) {
	comm, state, ppid := parseStat([]byte("4711 (a) b (c)) Z 1 4711 0"))
	if comm != "a) b (c)" || state != 'Z' || ppid != 1 {
		t.Errorf("%q %c %d", comm, state, ppid)
	}
	for _, bad := range []string{"", "1 (x", "1 (x)", "1 (x) S", "1 (x) S y"} {
		if _, state, _ := parseStat([]byte(bad)); state != 0 {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestQEMUSaid(t *testing.T) {
	log := "2026-01-01 00:00:00.000+0000: starting up libvirt version: 9.0.0\nLC_ALL=C \\\n/usr/bin/qemu-system-x86_64 \\\n-name x\n" +
		"2026-01-01T00:00:00.000000Z qemu-system-x86_64: -kernel x: could not open\n2026-01-01: shutting down, reason=failed\n"
	if got := qemuSaid([]byte(log)); got != "qemu-system-x86_64: -kernel x: could not open" {
		t.Errorf("%q", got)
	}
}

func TestVersion(t *testing.T) {
	if v := version(7002022); v != "7.2.22" {
		t.Error(v)
	}
}
