package vm

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/digitalocean/go-libvirt"

	"lab/bench"
	"lab/bench/benchtest"
	"lab/bench/clock"
	"lab/bench/image"
	"lab/vm/accel"
	"lab/vm/domain"
)

// The machine without an operating system runs under emulation, and under KVM
// wherever there is a device: this is how libvirt's type 'kvm' is tested on
// machines whose KVM can't boot a kernel.
func TestBare(t *testing.T) {
	tb := benchtest.Testbed(t)
	e := NewBare()
	if err := e.Open(within(t, time.Minute), tb); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, v := range []string{"tcg seabios", "tcg qboot", "kvm qboot"} {
		accel, firmware, _ := strings.Cut(v, " ")
		t.Run(v, func(t *testing.T) {
			token := bench.Token()
			set, err := bench.Resolve(e, map[string]string{"accel": accel, "firmware": firmware})
			if err != nil {
				t.Fatal(err)
			}
			s := bench.Spec{Image: image.Ref{Dir: t.TempDir()}, Settings: set,
				Command: bench.Command{Argv: []string{image.ReadyPath, token}}}
			if err := e.Check(context.Background(), s); errors.Is(err, bench.ErrUnavailable) {
				t.Skipf("SKIPPED: %v", err)
			} else if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				i := start(t, e, s)
				seen, err := clock.AwaitToken(i.Ready(), []byte(token), 30*time.Second)
				if err != nil {
					t.Fatal(i.Explain(err))
				}
				at := i.Started()
				for _, m := range i.Marks() {
					t.Logf("%-10s %v", m.Name, m.At.Sub(at))
					at = m.At
				}
				exit, err := i.Wait(within(t, 30*time.Second))
				t.Logf("ready after %v, ended after %v", seen.At.Sub(i.Started()), exit.At.Sub(i.Started()))
				if err != nil || exit.Status() != 0 {
					t.Errorf("%v, %v", exit, err)
				}
				if err := i.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	set, _ := bench.Resolve(e, nil)
	if _, err := e.Prepare(context.Background(), bench.Spec{Settings: set, Command: bench.Command{Argv: []string{"/bin/sh"}}}); !errors.Is(err, bench.ErrNotApplicable) {
		t.Errorf("a program: %v, want ErrNotApplicable", err)
	}
}

// hastyGuest has done all before libvirt's call returns, which then fails.
type hastyGuest struct{ variant }

func (hastyGuest) start(ctx context.Context, i *instance) (net.Conn, error) {
	return i.startHere(ctx, func(ctx context.Context) error {
		text, err := domain.XML(i.cfg)
		if err != nil {
			return err
		}
		return i.create(ctx, "create domain", "configure", func(l *libvirt.Libvirt) error {
			d, err := l.DomainCreateXML(text, libvirt.DomainStartAutodestroy)
			for ; err == nil; time.Sleep(10 * time.Millisecond) {
				_, err = l.DomainLookupByName(d.Name)
			}
			return errors.Join(errors.New("qemu unexpectedly closed the monitor"), err)
		})
	})
}

// A guest that was faster than libvirt has run like any other.
func TestBareHasty(t *testing.T) {
	tb := benchtest.Testbed(t)
	e := NewBare()
	if err := e.Open(within(t, time.Minute), tb); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}()
	token := bench.Token()
	set, err := bench.Resolve(e, map[string]string{"accel": "tcg"})
	if err != nil {
		t.Fatal(err)
	}
	p, err := e.Prepare(within(t, time.Minute), bench.Spec{Image: image.Ref{Dir: t.TempDir()}, Settings: set, Command: bench.Command{Argv: []string{image.ReadyPath, token}}})
	if err != nil {
		t.Fatal(err)
	}
	i := p.(*instance)
	i.how = hastyGuest{i.how}
	if err := i.Start(within(t, time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := clock.AwaitToken(i.Ready(), []byte(token), 30*time.Second); err != nil {
		t.Error(i.Explain(err))
	}
	if exit, err := i.Wait(within(t, 30*time.Second)); err != nil || exit.Status() != 0 {
		t.Errorf("%v, %v", exit, err)
	}
	if last := i.Marks()[len(i.Marks())-1].Name; last != "configure" {
		t.Errorf("the last mark is %q", last)
	}
	if err := i.Close(); err != nil {
		t.Error(err)
	}
}

// The probe runs its guest as a domain, and leaves none.
func TestProbeThroughLibvirt(t *testing.T) {
	e := open(t)
	if v := e.Acceleration(); v.By != accel.ByLibvirt {
		t.Errorf("the environment's own verdict is by %q", v.By)
	}
	cache := e.tb.Cache
	t.Cleanup(func() { e.tb.Cache = cache }) // the testbed is all tests'
	e.tb.Cache, e.accel = t.TempDir(), accel.Verdict{}
	began := time.Now()
	if err := e.probe(within(t, time.Minute)); err != nil {
		t.Fatal(err)
	}
	v := e.accel
	t.Logf("in %v: %+v", time.Since(began), v)
	if v.By != accel.ByLibvirt || v.Use != "kvm" && v.Use != "tcg" || v.TCGPace.Ring0 <= 0 || v.TCGPace.Calls <= 0 || v.Reason == "" || v.Device == "" {
		t.Errorf("%+v", v)
	}
	if names, err := e.domains(); err != nil || len(names["domain"]) != 0 {
		t.Errorf("domains %v, %v", names, err)
	}
	// It is kept, and lab doctor takes the same one.
	if again, err := accel.Probe(context.Background(), e.tb.Cache); err != nil || again != v {
		t.Errorf("%+v, %v, want %+v", again, err, v)
	}
	// KVM that is of no use is refused by what was found out, at once.
	if v.Use == "tcg" {
		e.tb.Cache = cache // where the kernel is
		s := spec(t, e, image.ReadyPath, "token")
		s.Settings["accel"] = "kvm"
		began := time.Now()
		err := e.Check(context.Background(), s)
		if !errors.Is(err, bench.ErrUnavailable) || !strings.Contains(strings.ToUpper(err.Error()), "KVM") || time.Since(began) > 5*time.Second {
			t.Errorf("accel=kvm: %v after %v", err, time.Since(began))
		}
	}
}

// A guest that hangs ends by the probe's limit.
func TestProbeHangs(t *testing.T) {
	e := open(t)
	file := e.bed() + "/hangs.elf"
	writeFile(t, file, bytes.Replace(accel.Tiny(1), []byte{0x75, 0xfd}, []byte{0xeb, 0xfd}, 1)) // jnz becomes jmp
	began := time.Now()
	_, err := e.runPace(within(t, time.Minute), file, "tcg", "qemu64", 300*time.Millisecond)
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 10*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
	_, err = e.runPace(within(t, time.Minute), file, "tcg", "no-such-cpu", time.Second)
	if err == nil || !strings.Contains(err.Error(), "no-such-cpu") && !strings.Contains(err.Error(), "guest under tcg") {
		t.Errorf("a CPU that there isn't: %v", err)
	}
	if names, err := e.domains(); err != nil || len(names["domain"]) != 0 {
		t.Errorf("domains %v, %v", names, err)
	}
}
