package vm

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"lab/bench"
	"lab/bench/proc"
	"lab/vm/daemon"
)

// A folder of the host is the guest's, too: each sees what the other writes; one
// that is read-only is so to the guest's root as well.
func TestShares(t *testing.T) {
	e := open(t)
	rw, ro := t.TempDir(), t.TempDir()
	for dir, text := range map[string]string{rw: "from the host\n", ro: "only to be read\n"} {
		if err := os.WriteFile(filepath.Join(dir, "note"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, root := range []string{"initramfs", "ext4"} {
		s := spec(t, e, "/bin/sh", "-c", `
			cat /mnt/rw/note /mnt/ro/note
			echo from the guest >/mnt/rw/answer
			mount -o remount,rw /mnt/ro && echo x 2>/dev/null >/mnt/ro/note || echo refused`)
		s.Init, s.Command.Env = true, []string{"PATH=/bin"}
		s.Settings["root"] = root
		s.Mounts = []bench.Mount{{Source: rw, Target: "/mnt/rw"}, {Source: ro, Target: "/mnt/ro", ReadOnly: true}}
		if err := e.Check(within(t, time.Minute), s); err != nil {
			t.Skipf("SKIPPED: %v", err)
		}
		if got, want := sayOf(t, e, s), "from the host\nonly to be read\nrefused\n"; got != want {
			t.Errorf("root=%s: %q, want %q", root, got, want)
		}
		if b, err := os.ReadFile(filepath.Join(rw, "answer")); err != nil || string(b) != "from the guest\n" {
			t.Errorf("root=%s: the host reads %q, %v", root, b, err)
		}
		if b, _ := os.ReadFile(filepath.Join(ro, "note")); string(b) != "only to be read\n" {
			t.Errorf("root=%s: the guest wrote %q", root, b)
		}
		os.Remove(filepath.Join(rw, "answer"))
	}
	err := e.own.Enter(func() error {
		left, err := os.ReadDir(daemon.InsideShares)
		for _, x := range left {
			t.Errorf("left in the daemon's namespace: %s", x.Name())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	for _, p := range named(t, "virtiofsd") {
		t.Errorf("left: virtiofsd, process %s", p)
	}
}

// named lists the processes of a name.
func named(t *testing.T, comm string) (out []string) {
	t.Helper()
	for _, pid := range proc.PIDs() {
		if s, ok := proc.Read(pid); ok && s.Name == comm {
			out = append(out, strconv.Itoa(pid))
		}
	}
	return out
}
