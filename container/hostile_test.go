package container

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"lab/bench"
	"lab/bench/cgroup"
	"lab/bench/image"
	"lab/bench/launch"
	"lab/bench/testbed"
)

// The tests of this file are what a hostile image or program would try. Each
// names the defence that it fails without.

// hostile is an image that a test may spoil, and what runs it.
type hostile struct {
	*testing.T
	env *Env
	dir string
}

func newHostile(t *testing.T) *hostile {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIP: containers need root; fix: sudo make test")
	}
	cache := t.TempDir()
	img, err := image.MakeDefault(cache, 0, 0)
	if err != nil {
		t.Skip("SKIP: ", err, "; fix: make setup")
	}
	tb, err := testbed.Local(cache, &cgroup.Options{Controllers: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tb.Close(); err != nil {
			t.Error(err)
		}
	})
	env := New()
	if err := env.Open(t.Context(), tb); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { env.Close() })
	return &hostile{t, env, img.Dir}
}

// replace puts a link in the place of a folder of the image.
func (h *hostile) replace(name, to string) {
	h.Helper()
	name = filepath.Join(h.dir, name)
	if err := os.RemoveAll(name); err != nil {
		h.Fatal(err)
	}
	if err := os.Symlink(to, name); err != nil {
		h.Fatal(err)
	}
}

// run runs a shell script inside and returns what it printed: with and without a
// user namespace, which is to change nothing of it.
func (h *hostile) run(s bench.Spec, script string) (string, bench.Exit, error) {
	h.Helper()
	s.Settings = maps.Clone(s.Settings)
	if s.Settings == nil {
		s.Settings = map[string]string{}
	}
	out, x, err := h.runOnce(s, script)
	if unfit := checkUsers(bench.Spec{Image: image.Ref{Dir: h.dir}}); unfit != nil {
		h.Log("without a user namespace alone: ", unfit)
		return out, x, err
	}
	s.Settings["user"] = "yes"
	out2, x2, err2 := h.runOnce(s, script)
	if out != out2 || x.Status() != x2.Status() || (err == nil) != (err2 == nil) {
		h.Errorf("with a user namespace %q, %v, %v; without %q, %v, %v", out2, x2, err2, out, x, err)
	}
	return out, x, err
}

func (h *hostile) runOnce(s bench.Spec, script string) (string, bench.Exit, error) {
	h.Helper()
	before, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		h.Fatal(err)
	}
	out, err := os.CreateTemp(h.TempDir(), "out")
	if err != nil {
		h.Fatal(err)
	}
	defer out.Close()
	s.Image = image.Ref{Dir: h.dir}
	if s.Settings, err = bench.Resolve(h.env, s.Settings); err != nil {
		h.Fatal(err)
	}
	if len(s.Command.Argv) == 0 {
		s.Command.Argv = []string{"/bin/busybox", "sh", "-c", script}
	}
	s.Command.Stdout, s.Command.Stderr = out, out
	ctx := context.Background()
	i, err := h.env.Prepare(ctx, s)
	if err != nil {
		h.Fatal(err)
	}
	var x bench.Exit
	if err = i.Start(ctx); err == nil {
		x, err = i.Wait(ctx)
	}
	if cerr := i.Close(); cerr != nil {
		h.Error(cerr)
	}
	after, rerr := os.ReadFile("/proc/self/mountinfo")
	if rerr != nil {
		h.Fatal(rerr)
	}
	if !bytes.Equal(before, after) {
		h.Errorf("the host's mounts changed:\n%s\n%s", before, after)
	}
	if _, err := out.Seek(0, io.SeekStart); err != nil {
		h.Fatal(err)
	}
	text, rerr := io.ReadAll(out)
	if rerr != nil {
		h.Fatal(rerr)
	}
	return string(text), x, err
}

// Defence: below() follows no link (CVE-2021-30465, CVE-2025-52881).
func TestLinkInPlaceOfMountPoint(t *testing.T) {
	for _, name := range []string{"proc", "sys", "dev"} {
		for _, to := range []string{"/etc", "../../../../etc", "etc", "/proc/self/cwd"} {
			t.Run(name+" to "+strings.ReplaceAll(to, "/", "_"), func(t *testing.T) {
				h := newHostile(t)
				h.replace(name, to)
				_, _, err := h.run(bench.Spec{}, "true")
				if err == nil {
					t.Fatal("it started")
				}
				if bench.Whose(err) != bench.BlameWorkload || !strings.Contains(err.Error(), "/"+name) {
					t.Errorf("%v (blames %s)", err, bench.Whose(err))
				}
			})
		}
	}
}

// Defence: target() resolves the whole way with the container's root as the root,
// and mounts on what it has opened.
func TestVolumeThroughLink(t *testing.T) {
	volume := t.TempDir()
	if err := os.WriteFile(filepath.Join(volume, "here"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	run := func(t *testing.T, link, to, target, look string) (string, error) {
		h := newHostile(t)
		if link != "" {
			h.replace(link, to)
		}
		out, _, err := h.run(bench.Spec{Mounts: []bench.Mount{{Source: volume, Target: target}}}, "ls "+look)
		return out, err
	}
	host, err := os.ReadDir("/etc")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, link, to, target, look string }{
		{"absolute", "data", "/etc", "/data", "/etc"},
		{"up", "data", "../../../etc", "/data", "/etc"},
		{"in the middle", "data", "/", "/data/etc", "/etc"},
		{"a part is missing", "data", "/tmp", "/data/new/folder", "/tmp/new/folder"},
		{"up beyond a link", "data", "/usr/bin", "/data/../vol", "/vol"}, // lexical, as docker's
		{"dots", "", "", "/a/../../../vol", "/vol"},
		{"out of the root and in again", "data", "../../../../../../etc/../etc", "/data", "/etc"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if out, err := run(t, c.link, c.to, c.target, c.look); err != nil || out != "here\n" {
				t.Errorf("%q, %v", out, err)
			}
		})
	}
	for _, c := range []struct{ name, link, to, target string }{
		{"the root", "data", "/", "/data"},
		{"the root by dots", "", "", "/x/.."},
		{"nowhere", "data", "/nowhere", "/data"},
		{"below nowhere", "data", "/nowhere", "/data/x"},
		{"round and round", "data", "data", "/data"},
		{"the lab's processes", "data", "/proc", "/data"},
		{"the lab's own", "data", "/proc/self", "/data"},
		{"below the lab's own", "data", "/proc", "/data/self"},
		{"by its name", "", "", "/proc/self"},
		{"a file", "data", "/bin/busybox", "/data"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := run(t, c.link, c.to, c.target, "/")
			if err == nil || bench.Whose(err) != bench.BlameWorkload {
				t.Errorf("it started: %q, %v", out, err)
			}
		})
	}
	after, err := os.ReadDir("/etc")
	if err != nil || len(after) != len(host) {
		t.Errorf("the host's /etc had %d entries, and has %d (%v)", len(host), len(after), err)
	}
}

// Defence: close_range in launch, before the change of folder
// (CVE-2024-21626).
func TestLeakedDescriptor(t *testing.T) {
	h := newHostile(t)
	// A descriptor of the host's root that some library forgot to mark.
	fd, err := unix.Open("/", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	out, x, err := h.run(bench.Spec{}, "for f in /proc/self/fd/*; do [ -d $f ] && echo folder $f; [ $f != /proc/self/fd/0 ] && [ $f != /proc/self/fd/1 ] && [ $f != /proc/self/fd/2 ] && [ -e $f ] && echo $f; done; true")
	if err != nil || x.Status() != 0 || out != "" {
		t.Errorf("descriptors beyond 0 to 2: %q, %v, %v", out, x, err)
	}
	for n := 3; n < 60; n++ {
		dir := "/proc/self/fd/" + strconv.Itoa(n)
		_, _, err := h.run(bench.Spec{Command: bench.Command{Dir: dir, Argv: []string{"/bin/busybox", "pwd"}}}, "")
		if err == nil {
			t.Errorf("the working folder %s exists", dir)
		}
	}
}

// Defence: launch looks the program and its interpreters up before there is a
// /proc, and hideContents (CVE-2019-5736).
func TestOwnProgramThroughProc(t *testing.T) {
	script := func(text string) func(string) error {
		return func(f string) error { return os.WriteFile(f, []byte(text), 0o755) }
	}
	for name, file := range map[string]func(string) error{
		"link":        func(f string) error { return os.Symlink("/proc/self/exe", f) },
		"interpreter": script("#!/proc/self/exe\n"),
		"blanks":      script("#! \t/proc/self/exe -x\n"),
		"no newline":  script("#!/proc/self/exe"),
		"a script's script": func(f string) error {
			return errors.Join(script("#!/proc/self/exe\n")(f+"2"), script("#!/bin/evil2\n")(f))
		},
		"link as interpreter": func(f string) error {
			return errors.Join(os.Symlink("/proc/self/exe", f+"2"), script("#!/bin/evil2\n")(f))
		},
		"by /dev": script("#!/dev/fd/../exe\n"),
		"loader":  func(f string) error { return os.WriteFile(f, elfFile("/proc/self/exe"), 0o755) },
		"link as loader": func(f string) error {
			return errors.Join(os.Symlink("/proc/self/exe", f+"2"), os.WriteFile(f, elfFile("/bin/evil2"), 0o755))
		},
		"an interpreter's loader": func(f string) error {
			return errors.Join(os.WriteFile(f+"2", elfFile("/proc/self/exe"), 0o755), script("#!/bin/evil2\n")(f))
		},
		"a decoy": func(f string) error {
			dir := filepath.Join(f, "../../proc/self")
			return errors.Join(os.MkdirAll(dir, 0o755), script("x")(filepath.Join(dir, "exe")), script("#!/proc/self/exe\n")(f))
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHostile(t)
			if err := file(filepath.Join(h.dir, "bin/evil")); err != nil {
				t.Fatal(err)
			}
			out, x, err := h.run(bench.Spec{Command: bench.Command{Argv: []string{"/bin/evil"}}}, "")
			var ee *launch.ExecError
			if !errors.As(err, &ee) {
				t.Fatalf("the lab's own program ran inside: %q, %v, %v", out, x, err)
			}
			// The test's program isn't static: where the kernel gets as far as
			// executing it, there is an ENOENT, too. Ours says where.
			if ee.Interpreter == "" && name != "link" {
				t.Errorf("the kernel refused, not the lab: %v", err)
			}
		})
	}
}

// Defence: no CAP_MKNOD, and a root that is mounted nodev.
func TestDeviceNodes(t *testing.T) {
	h := newHostile(t)
	// /dev/zero's number, which is harmless and there on every machine.
	if err := unix.Mknod(filepath.Join(h.dir, "zero"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 5))); err != nil {
		t.Fatal(err)
	}
	out, _, err := h.run(bench.Spec{}, "mknod /x c 1 1 2>/dev/null && echo made; sh -c ': < /zero' && echo opened; true")
	if err != nil || strings.Contains(out, "made") || strings.Contains(out, "opened\n") {
		t.Errorf("%q, %v", out, err)
	}
	// Exactly the usual ones.
	out, _, err = h.run(bench.Spec{}, "find /dev -type c -o -type b | sort | tr '\\n' ' '")
	if want := "/dev/full /dev/null /dev/pts/ptmx /dev/random /dev/tty /dev/urandom /dev/zero "; err != nil || out != want {
		t.Errorf("nodes %q, %v; want %q", out, err, want)
	}
}

// Defence: mounts are slaves of the host's, and root lacks CAP_SYS_ADMIN.
func TestMountsDontLeak(t *testing.T) {
	h := newHostile(t)
	out, _, err := h.run(bench.Spec{}, "mount -t tmpfs x /tmp && echo mounted; true")
	if err != nil || strings.Contains(out, "mounted") {
		t.Errorf("%q, %v", out, err)
	}
	// With all privileges a mount is possible, and stays inside: run compares
	// the host's mounts before and after. Where systemd runs, the host's mounts
	// are shared with whoever copies them.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		t.Fatal(err)
	}
	defer unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, "")
	out, x, err := h.run(bench.Spec{Settings: map[string]string{"caps": "all", "seccomp": "none"}},
		"mount -t tmpfs x /tmp && grep -c ' /tmp ' /proc/mounts")
	if err != nil || x.Status() != 0 || out != "1\n" {
		t.Errorf("%q, %v, %v", out, x, err)
	}
}

// Defence: the PID namespace.
func TestSignalsToTheHost(t *testing.T) {
	h := newHostile(t)
	victim := exec.Command("sleep", "60")
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	// A number that isn't given to anything inside.
	out, _, err := h.run(bench.Spec{Settings: map[string]string{"caps": "all", "seccomp": "none"}},
		"for i in 1 2 3 4 5 6 7 8 9; do true & wait $!; done; kill -9 "+strconv.Itoa(victim.Process.Pid)+
			" 2>/dev/null && [ ! -d /proc/"+strconv.Itoa(victim.Process.Pid)+" ] && echo hit; kill -9 -1 2>/dev/null; true")
	if err != nil || strings.Contains(out, "hit") {
		t.Errorf("%q, %v", out, err)
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(victim.Process.Pid) + "/stat")
	if err != nil || strings.Contains(string(stat), ") Z ") {
		t.Errorf("a process of the host was killed: %s, %v", stat, err)
	}
	victim.Process.Kill()
	if err := victim.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Error(err)
	}
}

// Defence: masks, read-only paths, the read-only /sys.
func TestKernelStateIsClosed(t *testing.T) {
	h := newHostile(t)
	for _, script := range []string{
		"echo x > /proc/sysrq-trigger",
		"echo x > /proc/sys/kernel/core_pattern",
		// Root may write this one without any capability; what it gets is what was there.
		"v=$(cat /sys/kernel/rcu_expedited) && echo $v > /sys/kernel/rcu_expedited",
		// Anybody may make a user namespace, and have all capabilities in it.
		"unshare -U true",
		"[ $(cat /proc/kcore | wc -c) -gt 0 ]", "[ $(cat /proc/keys | wc -c) -gt 0 ]", "[ $(cat /proc/timer_list | wc -c) -gt 0 ]",
		"[ -n \"$(ls /sys/firmware)\" ]", "[ -n \"$(ls /proc/acpi)\" ]",
		"hostname evil", "date -s 2001-01-01 2>&1 | grep -qv 'not permitted' && false", "reboot -f", "swapoff -a",
	} {
		out, x, err := h.run(bench.Spec{}, script+" 2>/dev/null")
		if err != nil || x.Status() == 0 {
			t.Errorf("%s: %q, %v, %v", script, out, x, err)
		}
	}
}

// Defence: the overlay, or the read-only mount.
func TestImageStaysAsItIs(t *testing.T) {
	h := newHostile(t)
	before, _, err := image.Sum(h.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, overlay := range []string{"yes", "no"} {
		_, x, err := h.run(bench.Spec{Settings: map[string]string{"overlay": overlay}}, "echo x >> /etc/passwd && rm /bin/ready")
		if err != nil || (x.Status() == 0) != (overlay == "yes") {
			t.Errorf("overlay=%s: %v, %v", overlay, x, err)
		}
	}
	after, _, err := image.Sum(h.dir)
	if err != nil || before != after {
		t.Errorf("%s, %v; before: %s", after, err, before)
	}
}
