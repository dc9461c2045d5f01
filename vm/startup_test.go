package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"lab/bench"
	"lab/bench/benchtest"
	"lab/bench/clock"
	"lab/bench/image"
)

// spec is the startup scenario's workload, as the guest's PID 1.
func spec(t *testing.T, e *Env, argv ...string) bench.Spec {
	t.Helper()
	set, err := bench.Resolve(e, nil)
	if err != nil {
		t.Fatal(err)
	}
	return bench.Spec{Image: benchtest.Image(t), Settings: set, Command: bench.Command{Argv: argv}}
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// start prepares and starts; the instance is closed with the test.
func start(t *testing.T, e *Env, s bench.Spec) *instance {
	t.Helper()
	ctx := within(t, time.Minute)
	b, err := e.Prepare(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := b.Start(ctx); err != nil {
		t.Fatal(err)
	}
	return b.(*instance)
}

func TestStartup(t *testing.T) {
	e := open(t)
	for _, set := range []map[string]string{
		{},
		{"machine": "pc"},
		{"boot": "bzimage"},
		{"firmware": "qboot"},
		{"acpi": "on"},
		{"boot": "bzimage", "acpi": "on"},
		{"root": "ext4"},
		{"root": "ext4", "machine": "pc"},
		{"root": "ext4", "firmware": "qboot"},
	} {
		name := fmt.Sprint(set)
		t.Run(name, func(t *testing.T) {
			token := bench.Token()
			s := spec(t, e, image.ReadyPath, token)
			for k, v := range set {
				s.Settings[k] = v
			}
			if err := e.Check(within(t, time.Minute), s); errors.Is(err, bench.ErrUnavailable) {
				t.Skipf("SKIPPED: %v", err)
			}
			i := start(t, e, s)
			seen, err := clock.AwaitToken(i.Ready(), []byte(token), 30*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			// A kernel that talks could repeat the token from its command line.
			if strings.Contains(string(seen.Text), "command line") {
				t.Errorf("the console said %q", seen.Text)
			}
			var names []string
			at := i.Started()
			for _, m := range i.Marks() {
				t.Logf("%-10s %v", m.Name, m.At.Sub(at))
				names, at = append(names, m.Name), m.At
			}
			t.Logf("%-10s %v; ready after %v", "guest", seen.At.Sub(at), seen.At.Sub(i.Started()))
			if got := strings.Join(names, " "); got != "prepare libvirt qemu configure" {
				t.Errorf("marks %q", got)
			}
			exit, err := i.Wait(within(t, 30*time.Second))
			if err != nil || exit.Status() != 0 {
				t.Errorf("%v, %v", exit, err)
			}
			if err := i.Close(); err != nil {
				t.Error(err)
			}
			dir := filepath.Join(e.tb.Dir, "logs")
			qemu, _ := os.ReadFile(filepath.Join(dir, i.cfg.Name+".qemu.log"))
			want := "init=" + image.ReadyPath + " -- " + token
			if set["root"] == "ext4" {
				want = "init=/.lab/init -- root=ext4 exec " + image.ReadyPath + " " + token
			}
			if !strings.Contains(string(qemu), want) {
				t.Errorf("QEMU's log has no command line: %q", qemu)
			}
			said, _ := os.ReadFile(filepath.Join(dir, i.cfg.Name+".console"))
			if !strings.Contains(string(said), token) {
				t.Errorf("the console's log: %q", said)
			}
		})
	}
}

// Several CPUs, and a limit of memory, are the guest's own.
func TestSize(t *testing.T) {
	e := open(t)
	for _, acpi := range []string{"auto", "on"} {
		s := spec(t, e, "/bin/sh", "-c", "nproc; grep MemTotal /proc/meminfo; uname -r; exit 7")
		s.Init, s.Command.Env = true, []string{"PATH=/bin"}
		s.Settings["acpi"] = acpi
		s.Limits = bench.Limits{CPU: 1.5, Memory: 160 << 20}
		i := start(t, e, s)
		text, _ := io.ReadAll(i.Ready())
		k, err := e.kernel(s)
		if err != nil {
			t.Fatal(err)
		}
		var ram int
		var name string
		if n, err := fmt.Sscanf(string(text), "2\nMemTotal: %d kB\n%s\n", &ram, &name); n != 2 {
			t.Errorf("acpi=%s: %q, %v", acpi, text, err)
		}
		if name != k.Version || ram < 160<<10 || ram > 256<<10 {
			t.Errorf("acpi=%s: kernel %s with %d kB", acpi, name, ram)
		}
		exit, err := i.Wait(within(t, 30*time.Second))
		if err != nil || exit.Code != 7 {
			t.Errorf("acpi=%s: %v, %v", acpi, exit, err)
		}
		i.Close()
	}
}

// What a workload's end is, without any agent in the guest.
func TestStatusOfPID1(t *testing.T) {
	e := open(t)
	for script, want := range map[string]int{"exit 42": 42, "kill -SEGV 1; exit 3": 3} {
		s := spec(t, e, "/bin/sh", "/script")
		s.Image = withScript(t, script)
		i := start(t, e, s)
		exit, err := i.Wait(within(t, 30*time.Second))
		if err != nil || exit.Status() != want {
			t.Errorf("%q: %v, %v, want %d", script, exit, err, want)
		}
	}
	// Its plug is pulled.
	s := spec(t, e, "/bin/sleep", "1000")
	i := start(t, e, s)
	if err := i.Signal(syscall.SIGTERM); !errors.Is(err, bench.ErrNotApplicable) {
		t.Errorf("SIGTERM: %v", err)
	}
	if err := i.Signal(syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	if exit, err := i.Wait(within(t, 10*time.Second)); err != nil || exit.Signal != 9 {
		t.Errorf("%v, %v, want signal 9", exit, err)
	}
}

// withScript is an image with a shell and a script: a kernel's command line
// can't hold one.
func withScript(t *testing.T, script string) image.Ref {
	t.Helper()
	from := benchtest.Image(t)
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(from.Dir, "bin/busybox"))
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"bin/busybox": b, "script": []byte(script)} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"sh", "sleep", "yes", "hostname"} {
		if err := os.Symlink("busybox", filepath.Join(dir, "bin", name)); err != nil {
			t.Fatal(err)
		}
	}
	ref, err := image.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func TestCheck(t *testing.T) {
	e := open(t)
	for _, c := range []struct {
		name string
		do   func(*bench.Spec)
		want error
	}{
		{"plain", func(*bench.Spec) {}, nil},
		{"user", func(s *bench.Spec) { s.Command.User.UID = 1 }, bench.ErrNotApplicable},
		{"folder", func(s *bench.Spec) { s.Command.Dir = "/tmp" }, bench.ErrNotApplicable},
		{"input", func(s *bench.Spec) { s.Command.Stdin = os.Stdin }, bench.ErrNotApplicable},
		{"blank", func(s *bench.Spec) { s.Command.Argv = []string{"/bin/sh", "-c", "a b"} }, bench.ErrNotApplicable},
		{"blank, with init", func(s *bench.Spec) { s.Command.Argv = []string{"/bin/sh", "-c", "a b"}; s.Init = true }, nil},
		{"processes", func(s *bench.Spec) { s.Limits.Pids = 10 }, bench.ErrNotApplicable},
		{"little memory", func(s *bench.Spec) { s.Limits.Memory = 16 << 20 }, bench.ErrNotApplicable},
		{"mount of a file", func(s *bench.Spec) { s.Mounts = []bench.Mount{{Source: "/dev/null", Target: "/x"}} }, bench.ErrNotApplicable},
		{"mount over all", func(s *bench.Spec) { s.Mounts = []bench.Mount{{Source: "/tmp", Target: "/.."}} }, bench.ErrNotApplicable},
		{"restored, with a disk", func(s *bench.Spec) { s.Settings["start"], s.Settings["disk"] = "restored", "virtio" }, bench.ErrNotApplicable},
		{"kernel that isn't there", func(s *bench.Spec) { s.Settings["kernel"] = "/nonexistent" }, bench.ErrUnavailable},
		{"kernel that isn't in the cache", func(s *bench.Spec) { s.Settings["kernel"] = "9.9.9" }, bench.ErrUnavailable},
		{"the lab's own parameter", func(s *bench.Spec) { s.Settings["append"] = "mitigations=off init=/bin/sh" }, bench.ErrNotApplicable},
		{"a long command line", func(s *bench.Spec) { s.Settings["append"] = strings.Repeat("x", 3000) }, bench.ErrNotApplicable},
		{"kernel that is none", func(s *bench.Spec) { s.Settings["kernel"] = "/proc/self/exe" }, bench.ErrUnavailable},
	} {
		s := spec(t, e, "/bin/true")
		c.do(&s)
		err := e.Check(context.Background(), s)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		var u *bench.UnfitError
		if err != nil && (!errors.As(err, &u) || u.Cure == "") {
			t.Errorf("%s: %v has no cure", c.name, err)
		}
	}
	if e.accel.Use != "kvm" {
		s := spec(t, e, "/bin/true")
		s.Settings["accel"] = "kvm"
		began := time.Now()
		err := e.Check(context.Background(), s)
		if !errors.Is(err, bench.ErrUnavailable) || !strings.Contains(err.Error(), "KVM") || time.Since(began) > 5*time.Second {
			t.Errorf("accel=kvm: %v after %v", err, time.Since(began))
		}
		s.Settings["anyway"] = "yes"
		if err := e.Check(context.Background(), s); (err == nil) != (e.accel.CPU != "") {
			t.Errorf("accel=kvm anyway, CPU model %q: %v", e.accel.CPU, err)
		}
	}
}
