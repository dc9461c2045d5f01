package guest

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestPanicStatus(t *testing.T) {
	for text, want := range map[string]int{
		"lab-0123[    1.1] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00002a00\r\n[": 42 << 8,
		"Attempted to kill init! exitcode=0x0000000b\n":                                                  11,
		"Attempted to kill init! exitcode=0x00000000":                                                    0,
		"Attempted to kill init! exitcode=0x0000":                                                        -1,
		"Attempted to kill init! exitcode=0xzzzzzzzz":                                                    -1,
		"": -1,
	} {
		got, ok := PanicStatus([]byte(text))
		if ok != (want >= 0) || ok && got != want {
			t.Errorf("%q: %#x, %v, want %#x", text, got, ok, want)
		}
	}
}

func TestNotExecuted(t *testing.T) {
	path, errno, ok := NotExecuted([]byte("[ 1.4] Kernel panic - not syncing: Requested init /bin/x failed (error -8).\r\n"))
	if path != "/bin/x" || errno != unix.ENOEXEC || !ok {
		t.Errorf("%q, %v, %v", path, errno, ok)
	}
	if _, _, ok := NotExecuted([]byte("Kernel panic - not syncing: VFS")); ok {
		t.Error("another panic was taken for this one")
	}
}

func TestHalted(t *testing.T) {
	for text, want := range map[string]string{
		"[    1.200041] reboot: System halted\r\n": "reboot: System halted",
		"x\n[    1.2] reboot: Power down":          "reboot: Power down",
		"reboot: Power down\nand on\n":             "",
		"":                                         "",
	} {
		if got := Halted([]byte(text)); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
