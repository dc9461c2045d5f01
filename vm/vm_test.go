package vm

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/digitalocean/go-libvirt"

	"lab/bench"
	"lab/bench/benchtest"
	"lab/bench/benchtest/fresh"
	"lab/vm/client"
	"lab/vm/guest"
)

func TestMain(m *testing.M) {
	// Tests run from a source tree, in which the init need not have been
	// generated, or may be an old one; where there is no Go to build it with, the
	// tests were brought along with it.
	if _, err := exec.LookPath("go"); err == nil {
		guest.Init = sync.OnceValues(func() ([]byte, error) { return fresh.Build("lab/bench/probe/guestinit") })
	}
	benchtest.Main(m)
}

// open opens the environment in the tests' testbed, or skips the test where
// this machine can't run guests.
func open(t *testing.T) *Env {
	t.Helper()
	tb := benchtest.Testbed(t)
	e := New()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := e.Open(ctx, tb); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			b, _ := os.ReadFile(filepath.Join(tb.Dir, "logs/vm-libvirt.log"))
			t.Logf("vm-libvirt.log:\n%s", b)
		}
	})
	needs(t, e)
	return e
}

func needs(t *testing.T, e *Env) {
	t.Helper()
	set, err := bench.Resolve(e, nil)
	if err != nil {
		t.Fatal(err)
	}
	spec := bench.Spec{Command: bench.Command{Argv: []string{"/bin/ready"}}, Settings: set, Init: true}
	if err := e.Check(context.Background(), spec); err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
}

// domains lists those of the environment's daemon.
func (e *Env) domains() (map[string][]string, error) {
	c, err := e.libvirt.Connection(context.Background())
	if err != nil {
		return nil, err
	}
	var out []string
	err = c.Call(context.Background(), "list domains", client.CallTimeout, func(l *libvirt.Libvirt) error {
		ds, _, err := l.ConnectListAllDomains(1, 0)
		for _, d := range ds {
			out = append(out, d.Name)
		}
		return err
	})
	return map[string][]string{"domain": out}, err
}

func TestConformance(t *testing.T) { conforms(t, nil) }

// With all devices that there are, starts, ends and what is left are as they
// were.
func TestConformanceDevices(t *testing.T) {
	conforms(t, map[string]string{"root": "ext4", "disk": "virtio", "disk-size": "64M", "net": "bridge"},
		"Names", "Ready", "Marks", "Cold", "Status", "NotFound", "Cancel", "Close", "Order", "Many", "Exec", "Image", "Prepare", "Nothing left")
}

func conforms(t *testing.T, settings map[string]string, parts ...string) {
	open(t).Close() // skips where there can be no guest
	e := New()
	benchtest.Run(t, e, benchtest.Options{
		Init: true, Slow: true,
		Settings: settings, Parts: parts,
		Objects: e.domains,
		Lacks: map[benchtest.Feature]string{
			benchtest.Work:       "a guest without a disk of its own has no place on the host's file system",
			benchtest.Ports:      "a guest's ports are on the testbed's bridge alone",
			benchtest.ParentsFDs: "a guest's processes are children of the guest's init",
		},
	})
}

func writeFile(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestVersion(t *testing.T) {
	if v := version(7002022); v != "7.2.22" {
		t.Error(v)
	}
}
