package daemon

import (
	"testing"
)

func TestQEMUSaid(t *testing.T) {
	log := "2026-01-01 00:00:00.000+0000: starting up libvirt version: 9.0.0\nLC_ALL=C \\\n/usr/bin/qemu-system-x86_64 \\\n-name x\n" +
		"2026-01-01T00:00:00.000000Z qemu-system-x86_64: -kernel x: could not open\n2026-01-01: shutting down, reason=failed\n"
	if got := QEMUSaid([]byte(log)); got != "qemu-system-x86_64: -kernel x: could not open" {
		t.Errorf("%q", got)
	}
}

func TestLastError(t *testing.T) {
	for _, c := range [][2]string{
		{"2026-11-28 13:41:15.259+0000: 49: info : hostname: lab\n" +
			"2026-11-28 13:41:15.378+0000: 49: error : virFileGetHugepageSize:3473 : cannot determine filesystem for '/dev/hugepages': No such file or directory\n" +
			"2026-11-28 13:41:15.379+0000: 49: error : virStateInitialize:660 : Initialization of QEMU state driver failed: cannot determine filesystem\n" +
			"2026-11-28 13:41:15.380+0000: 49: error : daemonRunStateInit:616 : Driver state initialization failed\n" +
			"2026-11-28 13:41:15.381+0000: 49: warning : x:1 : y\n",
			"Initialization of QEMU state driver failed: cannot determine filesystem"},
		{"/usr/sbin/libvirtd: error while loading shared libraries: libvirt.so.0\n\n", "/usr/sbin/libvirtd: error while loading shared libraries: libvirt.so.0"},
		{"", ""},
	} {
		if got := lastError(c[0]); got != c[1] {
			t.Errorf("%q, want %q", got, c[1])
		}
	}
}

// The user is one that the kernel lets this namespace have.
func TestLastID(t *testing.T) {
	for table, want := range map[string]uint64{
		"         0          0 4294967295\n": 4294967294,
		"0 100000 65536\n":                   65535,
		"0 1000 1\n1 100000 65536\n":         65536,
		"":                                   2 * spareIDs,
	} {
		if got := lastID([]byte(table)); got != want {
			t.Errorf("%q: %d, want %d", table, got, want)
		}
	}
	if UserOf(spareIDs*3) <= QEMUGroup() || UserOf(spareIDs-2) >= QEMUGroup()+spareIDs {
		t.Error("a domain's user is out of the range")
	}
}
