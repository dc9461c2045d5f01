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

// With Xen below it the kernel is that of the first domain; and of a guest of Xen's, which
// says so by the kind of guest that it takes itself for.
func TestXen(t *testing.T) {
	for _, c := range []struct {
		domain, file, want string
		parts              []string
	}{
		{"dom0", "/sys/hypervisor/type", "xen", []string{"Names", "Status"}},
		{"pv", "/sys/hypervisor/guest_type", "PV", []string{"Status"}},
		{"pvh", "/sys/hypervisor/guest_type", "PVH", []string{"Stdin"}},
	} {
		t.Run(c.domain, func(t *testing.T) {
			needsDistro(t, NewXen())
			set := map[string]string{"domain": c.domain}
			benchtest.Run(t, NewXen(), benchtest.Options{Slow: true, Init: true, Lacks: distroLacks, Settings: set, Parts: c.parts})
			e, out := NewXen(), filepath.Join(t.TempDir(), "out")
			if err := e.Open(within(t, time.Minute), benchtest.Testbed(t)); err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			f, err := os.Create(out)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			s := xenSpec(t, e, set)
			s.Image, s.Command = benchtest.Image(t), bench.Command{Argv: []string{"/bin/cat", c.file}, Stdout: f}
			i, err := e.Prepare(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			defer i.Close()
			ctx := within(t, 10*time.Minute)
			if err := i.Start(ctx); err != nil {
				t.Fatal(err)
			}
			if x, err := i.Wait(ctx); err != nil || x.Code != 0 {
				t.Error(x, err)
			}
			if b, err := os.ReadFile(out); err != nil || string(b) != c.want+"\n" {
				t.Errorf("%s: %q, %v", c.file, b, err)
			}
			marks := make(map[string]bool)
			for _, m := range i.(bench.Tracer).Marks() {
				marks[m.Name] = true
			}
			for _, m := range []string{"boot loader", "systemd", "unit", "xl create", "guest kernel", "guest init"} {
				if want := c.domain != "dom0" || slices.Index(distroParts, m) < slices.Index(distroParts, "xl create"); marks[m] != want {
					t.Errorf("the start has a part %q: %v, want %v", m, marks[m], want)
				}
			}
		})
	}
}

// A guest that is no more is an error that says what it said last, and no wait for ever.
func TestDomainPanics(t *testing.T) {
	needsDistro(t, NewXen())
	e := NewXen()
	if err := e.Open(within(t, time.Minute), benchtest.Testbed(t)); err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	s := xenSpec(t, e, map[string]string{"domain": "pv"})
	s.Image, s.Command = benchtest.Image(t), bench.Command{Argv: []string{"/bin/sh", "-c", "echo c >/proc/sysrq-trigger; sleep 600"}}
	i, err := e.Prepare(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	ctx := within(t, 9*time.Minute)
	if err := i.Start(ctx); err != nil {
		t.Fatal(err)
	}
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
	for _, cpu := range []string{"qemu64", "host"} { // no module of KVM's has the parameter here, or KVM would do
		e.accel = accel.Verdict{CPU: cpu}
		err := e.checkDomain(s)
		if cpu == "host" && nested("/sys/module") {
			continue
		}
		if u := (*bench.UnfitError)(nil); !errors.As(err, &u) || !strings.Contains(u.Reason, "doesn't hand on") || !strings.Contains(u.Cure, "domain=pv") {
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
