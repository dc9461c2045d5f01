package vm

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lab/bench"
	"lab/bench/clock"
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
