package vm

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lab/bench"
	"lab/bench/testbed"
	"lab/vm/accel"
)

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
