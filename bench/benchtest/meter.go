package benchtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"lab/bench"
	"lab/bench/benchtest/fresh"
	"lab/bench/image"
	"lab/bench/probe/built"
	"lab/bench/probe/line"
)

// meter is the memory scenario's truth: what an instance is known to hold is
// what everybody counts, to 2 %. And what it wrote lies in the work folder.
func (s *suite) meter(t *testing.T) {
	s.needs(t, Meter)
	const apart = 0.02
	held := heldBytes(t)
	p, err := bench.NewProbe()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	spec := s.spec(t, p.Command("memory", fmt.Sprint("anon=", held), fmt.Sprint("file=", held)))
	spec.Image = probeImage(t)
	spec.Init = true
	if _, lacks := s.opts.Lacks[Memory]; !lacks {
		spec.Limits.Memory = 2*held + held/2
	}
	if _, lacks := s.opts.Lacks[Work]; !lacks {
		s.inWork(t, &spec)
	}
	i := s.start(t, spec)
	m, ok := i.(bench.Meter)
	if !ok {
		t.Fatalf("%T is no bench.Meter (Options.Lacks says so where there can be none)", i)
	}
	near := func(who string, got int64) {
		t.Helper()
		off := float64(got)/float64(held) - 1
		t.Logf("%s: %d KiB of %d, %+.2f %%", who, got>>10, held>>10, 100*off)
		if off < -apart || off > apart {
			t.Errorf("%s is %+.2f %% off what it holds, more than %g %%", who, 100*off, 100*apart)
		}
	}
	says := map[string]int64{}
	looked := false
	p.Listen(i.Ready())
	err = p.Talk(s.context(t), func(h bench.Heard) error {
		if h.Kind == line.Fact {
			for _, kv := range h.Pairs {
				v, _ := h.Float(kv.Key)
				says[kv.Key] = int64(v)
			}
		}
		if h.Kind != line.Begin || h.Name != "hold" {
			return nil
		}
		looked = true
		cost, err := m.Meter()
		if err != nil {
			return err
		}
		pss, ram := cost.PSS()
		if ram > 0 { // a guest
			near("in the guest, AnonPages", says["grown.AnonPages"])
			near("in the guest, Cached", says["grown.Cached"])
			if ram < 2*held {
				t.Errorf("the guest holds %d bytes, and its RAM on the host is %d", 2*held, ram)
			}
			return nil
		}
		near("its processes' share, by two", pss/2)
		if cost.Group != nil {
			near("its cgroup, anonymous", cost.Group.Anon)
			near("its cgroup, file", cost.Group.File)
		}
		if cost.Group == nil && s.grouped(spec) {
			t.Error("its cgroup counts nothing")
		}
		return nil
	})
	if err != nil || !looked {
		t.Fatalf("looked %v: %v", looked, err)
	}
	if exit := s.wait(t, i); exit.Status() != 0 {
		t.Errorf("%v", exit)
	}
}

func (s *suite) grouped(spec bench.Spec) bool {
	g, ok := s.env.(bench.Grouper)
	return ok && g.Groups(spec) > 0
}

// inWork puts what the probe of a Spec writes into the testbed's work folder.
func (s *suite) inWork(t *testing.T, spec *bench.Spec) {
	t.Helper()
	if s.tb.Work == "" {
		if err := s.tb.OpenWork(os.TempDir()); err != nil {
			t.Fatal(err)
		}
	}
	spec.Work = true
	i, err := s.env.Prepare(s.context(t), *spec)
	if err != nil {
		t.Fatal(err)
	}
	x, ok := i.(bench.Placer)
	if !ok {
		t.Fatalf("%T is no bench.Placer (Options.Lacks says so where there can be none)", i)
	}
	place := x.Place()
	if err := i.Close(); err != nil {
		t.Fatal(err)
	}
	if !filepath.IsAbs(place) {
		t.Errorf("its place is %q, not an absolute path", place)
	}
	spec.Command.Argv = append(spec.Command.Argv, "dir="+place)
}

// heldBytes is what the probe is to hold of each kind: 256 MiB, and less on a machine
// that hasn't twice that and as much again to spare.
func heldBytes(t *testing.T) int64 {
	t.Helper()
	_, left, whose, err := bench.MemoryRoom()
	if err != nil {
		t.Fatal(err)
	}
	for held := int64(256 << 20); held >= 128<<20; held /= 2 {
		if 3*held <= left {
			if held < 256<<20 {
				t.Logf("with %d MiB instead of 256, as %d are available", held>>20, left>>20)
			}
			return held
		}
	}
	t.Skipf("SKIPPED: %s has %d MiB of memory available, and it wants 384: end other programs", whose, left>>20)
	return 0
}

var withProbe = sync.OnceValues(func() (image.Ref, error) {
	b, err := fresh.Build("lab/bench/probe/program")
	if errors.Is(err, exec.ErrNotFound) {
		b, err = built.Probe()
	}
	if err != nil {
		return image.Ref{}, err
	}
	dir, err := images()
	if err != nil {
		return image.Ref{}, err
	}
	return image.MakeDefault(filepath.Join(dir, "probe"), os.Getuid(), os.Getgid(),
		image.Entry{Name: image.ProbePath[1:], Data: b, Mode: 0o755})
})

// probeImage is the default image with the probe, as lab run has it.
func probeImage(t *testing.T) image.Ref {
	t.Helper()
	ref, err := withProbe()
	if errors.Is(err, built.ErrNone) {
		t.Skip("SKIPPED: these tests were built without the probe, and there is no Go: make generate")
	}
	if err != nil {
		t.Fatal(err)
	}
	return ref
}
