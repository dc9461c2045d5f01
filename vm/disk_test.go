package vm

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"lab/bench"
	"lab/bench/clock"
	"lab/bench/proc"
	"lab/vm/daemon"
)

// say runs a script under the guest's init and returns what it wrote.
func say(t *testing.T, e *Env, script string, set ...string) string {
	t.Helper()
	s := spec(t, e, "/bin/sh", "-c", script)
	s.Init, s.Command.Env = true, []string{"PATH=/bin"}
	for n := 0; n < len(set); n += 2 {
		s.Settings[set[n]] = set[n+1]
	}
	if err := e.Check(within(t, time.Minute), s); err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	return sayOf(t, e, s)
}

// sayOf runs a workload and returns what it wrote.
func sayOf(t *testing.T, e *Env, s bench.Spec) string {
	t.Helper()
	i := start(t, e, s)
	text, err := io.ReadAll(i.Ready())
	if err != nil {
		t.Error(err)
	}
	if exit, err := i.Wait(within(t, 30*time.Second)); err != nil || exit.Code != 0 {
		t.Errorf("%v, %v", exit, err)
	}
	if err := i.Close(); err != nil {
		t.Error(err)
	}
	return string(text)
}

// With root=ext4 a guest sees the image, whole and writable, and nothing of the
// lab's; what it writes is gone with it.
func TestRootDisk(t *testing.T) {
	e := open(t)
	script := `
		ls -A / | tr '\n' ' '; echo
		awk '$2 == "/" { print $1, $3 }' /proc/mounts
		ls -ld /tmp | cut -c1-10
		stat -c '%u:%g' /etc/passwd
		echo mine >>/etc/passwd && rm /etc/group && mkdir /new && grep -c mine /etc/passwd
		cat /proc/modules | cut -d' ' -f1 | sort | tr '\n' ' '`
	first := say(t, e, script, "root", "ext4")
	image := filepath.Join(spec(t, e, "/x").Image.Dir)
	entries, err := os.ReadDir(image)
	if err != nil {
		t.Fatal(err)
	}
	var names string
	for _, x := range entries {
		names += x.Name() + " "
	}
	want := names + "\noverlay overlay\ndrwxrwxrwt\n0:0\n1\n"
	if !strings.HasPrefix(first, want) {
		t.Errorf("the guest sees %q, want %q", first, want)
	}
	for _, m := range []string{"virtio_blk ", "overlay ", "virtio_console "} {
		if !strings.Contains(first, m) {
			t.Errorf("module %sisn't loaded: %q", m, first)
		}
	}
	if second := say(t, e, script, "root", "ext4"); second != first {
		t.Errorf("the next guest sees %q", second)
	}
	if third := say(t, e, "cut -d' ' -f1 /proc/modules"); strings.Contains(third, "virtio_blk") {
		t.Errorf("a guest without a disk has a driver for one: %q", third)
	}
	disks, err := filepath.Glob(filepath.Join(e.tb.Cache, "rootdisk", "*"))
	if err != nil || len(disks) == 0 {
		t.Fatalf("no disk in the cache: %v", err)
	}
	for _, d := range disks {
		if !strings.HasSuffix(d, ".ext4") {
			t.Errorf("%s is left", d)
		}
	}
}

// A workload that is PID 1 is one after the lab's init made its root, too: its
// arguments, its status, and what it finds.
func TestRootDiskOfPID1(t *testing.T) {
	e := open(t)
	token := bench.Token()
	s := spec(t, e, "/bin/sh", "/script", "one", "two")
	s.Hostname = "web"
	s.Settings["root"] = "ext4"
	s.Command.Env = []string{"HOME=/", "TERM=linux", "COLOR=red"}
	s.Image = withScript(t, `echo $$ $# $2 $COLOR; hostname; for f in /.lab /proc/self; do [ -e $f ] && echo $f; done; printf %s `+token+`; exit 42`)
	i := start(t, e, s)
	seen, err := clock.AwaitToken(i.Ready(), []byte(token), 30*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.ReplaceAll(string(seen.Text), "\r", ""); !strings.HasPrefix(got, "1 2 two red\nweb\n"+token) {
		t.Errorf("it says %q", got)
	}
	if exit, err := i.Wait(within(t, 30*time.Second)); err != nil || exit.Code != 42 {
		t.Errorf("%v, %v, want status 42", exit, err)
	}
	// One that can't be executed.
	s = spec(t, e, "/script")
	s.Settings["root"] = "ext4"
	s.Image = withScript(t, "#!/nowhere\n")
	i = start(t, e, s)
	_, err = i.Wait(within(t, 30*time.Second))
	if err == nil || bench.Whose(err) != bench.BlameWorkload {
		t.Errorf("%v, want an error for which the workload is to blame", err)
	}
}

// A guest has a disk of its own, of the kind that was asked for, which is empty,
// takes what is written, and leaves nothing on the host.
func TestDataDisk(t *testing.T) {
	e := open(t)
	script := `
		awk '$2 == "/data" { print $1, $3 }' /proc/mounts
		ls -A /data
		dd if=/dev/zero of=/data/x bs=1M count=8 conv=fsync 2>/dev/null && stat -c %s /data/x
		cut -d' ' -f1 /proc/modules | grep -cE '^(virtio_blk|ata_piix)$'`
	for _, c := range []struct{ set, dev string }{
		{"disk=virtio machine=q35 cache=none io=native", "vda"},
		{"disk=virtio machine=pc cache=writeback io=threads", "vda"},
		{"disk=ide machine=pc cache=none io=threads", "sda"},
		{"disk=virtio machine=q35 cache=unsafe io=threads root=ext4", "vdb"},
	} {
		t.Run(c.set, func(t *testing.T) {
			set := []string{"disk-size", "64M"}
			for _, w := range strings.Fields(c.set) {
				k, v, _ := strings.Cut(w, "=")
				set = append(set, k, v)
			}
			before := unnamedFiles(t)
			want := fmt.Sprintf("/dev/%s ext4\nlost+found\n8388608\n1\n", c.dev)
			if got := say(t, e, script, set...); got != want {
				t.Errorf("%q, want %q", got, want)
			}
			if after := unnamedFiles(t); after != before {
				t.Errorf("the lab has %d unnamed files open, and had %d", after, before)
			}
		})
	}
}

// unnamedFiles counts this process's descriptors on files without a name.
func unnamedFiles(t *testing.T) (n int) {
	t.Helper()
	fds, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fds {
		if to, err := os.Readlink(f); err == nil && strings.HasSuffix(to, " (deleted)") {
			n++
		}
	}
	return n
}

// What QEMU is told is what was asked for.
func TestDataDiskCommandLine(t *testing.T) {
	e := open(t)
	s := spec(t, e, "/bin/sleep", "1000")
	s.Settings["disk"], s.Settings["disk-size"], s.Settings["cache"], s.Settings["io"] = "virtio", "32M", "none", "native"
	i := start(t, e, s)
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", i.pid))
	if err != nil {
		t.Fatal(err)
	}
	line := strings.ReplaceAll(string(b), "\x00", " ")
	for _, want := range []string{`"aio":"native"`, `"cache":{"direct":true,"no-flush":false}`, `"filename":"/run/vm/files/`, "virtio-blk-pci", "data=/data exec /bin/sleep"} {
		if !strings.Contains(line, want) {
			t.Errorf("no %s in %s", want, line)
		}
	}
}

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
