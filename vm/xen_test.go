package vm

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"lab/bench"
	"lab/bench/benchtest"
	"lab/bench/testbed"
	"lab/vm/accel"
)

// With Xen below it the kernel is that of the first domain, which keeps the contract as
// vm-distro's does.
func TestXen(t *testing.T) {
	needsDistro(t, NewXen())
	benchtest.Run(t, NewXen(), benchtest.Options{Slow: true, Init: true, Lacks: distroLacks, Parts: []string{"Names", "Status"}})
}

// In each domain the kernel says what it takes itself for; every byte comes in and out, and
// the exit status; the start has its parts. All in one start of each, as that takes minutes.
func TestXenDomains(t *testing.T) {
	needsDistro(t, NewXen())
	all := make([]byte, 8<<10)
	for n := range all {
		all[n] = byte(n)
	}
	for _, c := range []struct{ domain, file, want string }{
		{"dom0", "/sys/hypervisor/type", "xen\n"},
		{"pv", "/sys/hypervisor/guest_type", "PV\n"},
		{"pvh", "/sys/hypervisor/guest_type", "PVH\n"},
	} {
		t.Run(c.domain, func(t *testing.T) {
			i, out := startXen(t, c.domain, "cat "+c.file+"; cat; exit 7", all)
			ctx := within(t, time.Minute)
			if x, err := i.Wait(ctx); err != nil || x.Code != 7 {
				t.Error(x, err)
			}
			if b, err := os.ReadFile(out); err != nil || string(b) != c.want+string(all) {
				t.Errorf("%s, and what came in: %d bytes, %q…, %v, want %d", c.file, len(b), b[:min(len(b), 80)], err, len(c.want)+len(all))
			}
			marks := make(map[string]bool)
			for _, m := range i.(bench.Tracer).Marks() {
				marks[m.Name] = true
			}
			for n, m := range distroParts {
				if want := c.domain != "dom0" || n < slices.Index(distroParts, "xl create"); marks[m] != want {
					t.Errorf("the start has a part %q: %v, want %v", m, marks[m], want)
				}
			}
		})
	}
}

// startXen starts a command in a domain; out is the file that it writes to.
func startXen(t *testing.T, in, command string, stdin []byte) (i bench.Instance, out string) {
	t.Helper()
	e := NewXen()
	if err := e.Open(within(t, time.Minute), benchtest.Testbed(t)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	dir := t.TempDir()
	out = filepath.Join(dir, "out")
	f, err := os.Create(out)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := os.WriteFile(filepath.Join(dir, "in"), stdin, 0o600); err != nil {
		t.Fatal(err)
	}
	from, err := os.Open(filepath.Join(dir, "in"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { from.Close() })
	s := xenSpec(t, e, map[string]string{"domain": in})
	s.Image, s.Command = benchtest.Image(t), bench.Command{Argv: []string{"/bin/sh", "-c", command}, Stdin: from, Stdout: f}
	if i, err = e.Prepare(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := i.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := i.Start(within(t, 10*time.Minute)); err != nil {
		t.Fatal(err)
	}
	return i, out
}

// A guest that is no more is an error that says what it said last, and no wait for ever.
func TestXenPanics(t *testing.T) {
	needsDistro(t, NewXen())
	i, _ := startXen(t, "pv", "echo c >/proc/sysrq-trigger; sleep 600", nil)
	ctx := within(t, 2*time.Minute)
	if x, err := i.Wait(ctx); err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "sysrq triggered crash") {
		t.Errorf("%+v, %v", x, err)
	}
}

func xenSpec(t *testing.T, e *Env, set map[string]string) bench.Spec {
	t.Helper()
	all, err := bench.Resolve(e, set)
	if err != nil {
		t.Fatal(err)
	}
	return bench.Spec{Settings: all}
}

// The workload is in dom0 by default, and in a guest where that is asked for.
func TestXenVariants(t *testing.T) {
	e := NewXen()
	if v, ok := e.variant(xenSpec(t, e, nil)).(distroGuest); !ok {
		t.Errorf("by default it is a %T", v)
	}
	for _, d := range []string{"pv", "pvh"} {
		if v, ok := e.variant(xenSpec(t, e, map[string]string{"domain": d})).(domainGuest); !ok {
			t.Errorf("domain=%s is a %T", d, v)
		}
	}
	if _, err := bench.Resolve(e, map[string]string{"domain": "hvm"}); err == nil {
		t.Error("domain=hvm is taken")
	}
	for _, s := range NewDistro().Settings() {
		if s.Name == "domain" {
			t.Error("vm-distro has domains")
		}
	}
}

// What a guest of Xen's can't have, and how much room it needs.
func TestDomainRefuses(t *testing.T) {
	e := NewXen()
	for name, c := range map[string]struct {
		set   map[string]string
		limit int64
		want  string // in the reason or the fix; "" is none
	}{
		"plain":      {map[string]string{"domain": "pv"}, 0, ""},
		"network":    {map[string]string{"domain": "pv", "net": "bridge"}, 0, "no network card"},
		"small":      {map[string]string{"domain": "pvh", "memory": "1G"}, 0, "memory=1280M"},
		"no size":    {map[string]string{"domain": "pv", "memory": "much"}, 0, ""},
		"limit":      {map[string]string{"domain": "pv"}, 400 << 20, ""},
		"high limit": {map[string]string{"domain": "pv"}, 1 << 30, "memory=2144M"},
	} {
		s := xenSpec(t, e, c.set)
		s.Limits.Memory = c.limit
		err := e.variant(s).refuses(s)
		if c.want == "" && err != nil || c.want != "" && (!errors.Is(err, bench.ErrNotApplicable) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// A PVH guest needs the processor's virtualization, in the machine that Xen is in.
func TestDomainNeedsVirtualization(t *testing.T) {
	e := NewXen()
	e.tb = &testbed.Testbed{Cache: t.TempDir()}
	s := xenSpec(t, e, map[string]string{"domain": "pvh", "accel": "kvm"})
	// No module of KVM's has the parameter here, or KVM would do.
	for cpu, says := range map[string]string{"qemu64": "the machine's own CPU model", "host": "doesn't hand on"} {
		e.accel = accel.Verdict{CPU: cpu}
		err := e.checkDomain(s)
		if cpu == "host" && nested("/sys/module") {
			continue
		}
		if u := (*bench.UnfitError)(nil); !errors.As(err, &u) || !strings.Contains(u.Reason, says) || !strings.Contains(u.Cure, "domain=pv") {
			t.Errorf("CPU %s: %v", cpu, err)
		}
	}
	// By paravirtualization it needs a kernel and no more.
	s.Settings["domain"] = "pv"
	if err := e.checkDomain(s); err == nil || !strings.Contains(err.Error(), "make setup") {
		t.Errorf("without a kernel: %v", err)
	}
}

func TestNested(t *testing.T) {
	for text, want := range map[string]bool{"Y\n": true, "1\n": true, "N\n": false, "0\n": false} {
		for _, m := range []string{"kvm_intel", "kvm_amd"} {
			dir := t.TempDir()
			if err := os.MkdirAll(filepath.Join(dir, m, "parameters"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, m, "parameters/nested"), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			if nested(dir) != want {
				t.Errorf("%s %q: %v", m, text, !want)
			}
		}
	}
	if nested(t.TempDir()) {
		t.Error("without KVM there is nested KVM")
	}
}
