package usercache

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// What root made in the cache is given to the user; what a set-up is making there, what an
// instance writes, images, and what is mounted below isn't: one of that is the machine's
// own /dev/shm.
func TestGive(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: needs root; fix: sudo")
	}
	t.Setenv("SUDO_UID", "12345")
	t.Setenv("SUDO_GID", "12345")
	cache := t.TempDir()
	want := map[string]uint32{"acceleration.json": 12345, "kernel/boot/vmlinuz": 12345, "setup.log": 12345, "z": 12345,
		".setup-x/tree/root/etc/shadow": 0, "work/lab-1/host/f": 0, "work/f": 0, images + "/f": 0, "mounted/f": 0}
	for name := range want {
		if filepath.Dir(name) == "mounted" {
			continue
		}
		if err := os.MkdirAll(filepath.Join(cache, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(cache, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mounted := filepath.Join(cache, "mounted")
	if err := os.Mkdir(mounted, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("lab", mounted, "tmpfs", 0, ""); err != nil {
		t.Skip("SKIPPED: nothing can be mounted: ", err)
	}
	defer unix.Unmount(mounted, unix.MNT_DETACH)
	if err := os.WriteFile(filepath.Join(mounted, "f"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Give(cache); err != nil {
		t.Fatal(err)
	}
	want["mounted"], want["work"] = 0, 12345
	for name, uid := range want {
		st, err := os.Lstat(filepath.Join(cache, name))
		if err != nil || st.Sys().(*syscall.Stat_t).Uid != uid {
			t.Errorf("%s: %+v, %v, want %d", name, st, err, uid)
		}
	}
}
