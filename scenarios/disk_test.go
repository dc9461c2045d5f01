package scenarios

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lab/bench"
	"lab/bench/benchtest"
	"lab/bench/engine"
	"lab/bench/image"
	"lab/bench/request"
	"lab/bench/results"
)

func TestDiskCells(t *testing.T) {
	label := func(o bench.Options) (out []string) {
		o.Known = benchtest.Known
		for _, c := range Disk().Cells(o) {
			out = append(out, results.Label(c.Env, c.Variant, 1))
		}
		return out
	}
	all := []string{"host", "chroot", "container data=layer", "container data=bind", "vm cache=none disk=virtio", "vm cache=writeback disk=virtio",
		"vm disk=virtio machine=pc", "vm disk=ide machine=pc"}
	if got := label(bench.Options{}); !slices.Equal(got, all) {
		t.Errorf("cells %q\nwant %q", got, all)
	}
	// What the user asked for decides, and leaves out what contradicts it.
	got := label(bench.Options{Request: request.Request{Variant: request.Settings{"machine": {"pc"}, "data": {"bind"}}}})
	if want := []string{all[0], all[1], all[3], all[4], all[5], all[6], all[7]}; !slices.Equal(got, want) {
		t.Errorf("on machine pc: %q\nwant %q", got, want)
	}
	got = label(bench.Options{Request: request.Request{Environments: []string{"vm"}, Variant: request.Settings{"machine": {"q35"}, "cache": {"unsafe"}}}})
	if want := []string{"vm disk=virtio"}; !slices.Equal(got, want) {
		t.Errorf("with another cache: %q, want %q", got, want)
	}
	// Of several values, too: each one is measured, and no other.
	got = label(bench.Options{Request: request.Request{Environments: []string{"vm"}, Variant: request.Settings{"cache": {"unsafe", "none"}}}})
	if want := []string{all[4], all[6], all[7], "vm cache=unsafe disk=virtio"}; !slices.Equal(got, want) {
		t.Errorf("two caches: %q, want %q", got, want)
	}
	got = label(bench.Options{Request: request.Request{Environments: []string{"vm"}, Variant: request.Settings{"machine": {"q35", "pc"}, "disk": {"virtio", "ide"}}}})
	if want := all[4:]; !slices.Equal(got, want) {
		t.Errorf("two machines and disks: %q, want %q", got, want)
	}
	for _, o := range []bench.Options{{Request: request.Request{Variant: request.Settings{"disk-size": {"2G"}}}}, {Request: request.Request{Variant: request.Settings{"disk-size": {"2G", "64M"}}}}} {
		o.Known = benchtest.Known
		for _, c := range Disk().Cells(o) {
			if want := int64(2 << 30); c.Guest && c.Disk != want || !c.Work {
				t.Errorf("%s: %d bytes on the disk, work %v", c.Env, c.Disk, c.Work)
			}
		}
	}
}

// Too little disk is said before the first trial, with what it would need: the
// cell isn't run, and the others are.
func TestDiskBudget(t *testing.T) {
	for _, x := range []struct {
		budget int64
		run    []string
	}{{0, []string{"host", "vm"}}, {1 << 30, []string{"host", "vm"}}, {1<<30 - 1, []string{"host"}}, {80 << 20, []string{"host"}}, {80<<20 - 1, nil}} {
		o := bench.Options{Known: benchtest.Known, Request: request.Request{Quick: true, Environments: []string{"host", "vm"}}}
		s := Disk()
		s.Cells = func(o bench.Options) (out []bench.Cell) {
			for _, c := range Disk().Cells(o) {
				if c.Env == "host" || c.Variant["cache"] == "none" {
					c.Variant = nil
					out = append(out, c)
				}
			}
			return out
		}
		o.DiskBudget = request.Size(x.budget)
		m := &results.Manifest{}
		r := &engine.Runner{Scenario: s, Options: o, Envs: []bench.Environment{&benchtest.Fake{Label: "host"}, &benchtest.Fake{Label: "vm"}}, Manifest: m,
			Work: t.TempDir()}
		if err := r.Plan(context.Background()); err != nil {
			t.Fatal(err)
		}
		var run []string
		for _, c := range m.Cells {
			if c.NotRun == nil {
				run = append(run, c.Env)
				continue
			}
			need := map[string]string{"host": "80M", "vm": "1024M"}[c.Env]
			if !strings.Contains(c.NotRun.Reason, "up to "+need) || !strings.Contains(c.NotRun.Cure, "--disk-budget "+need) {
				t.Errorf("budget %d, %s: %+v", x.budget, c.Env, c.NotRun)
			}
		}
		if !slices.Equal(run, x.run) {
			t.Errorf("budget %d: %q can run, want %q", x.budget, run, x.run)
		}
	}
}

// What an environment keeps in the work folder takes its part of the budget from
// every cell.
func TestDiskKept(t *testing.T) {
	for _, x := range []struct {
		envs []bench.Environment
		need string
	}{{[]bench.Environment{&benchtest.Fake{Label: "host"}}, "80M"}, {[]bench.Environment{&benchtest.Fake{Label: "host"}, keeper{&benchtest.Fake{Label: "chroot"}}}, "180M"}} {
		o := bench.Options{Known: benchtest.Known, Request: request.Request{Quick: true, DiskBudget: 1}}
		for _, e := range x.envs {
			o.Environments = append(o.Environments, e.Name())
		}
		m := &results.Manifest{}
		r := &engine.Runner{Scenario: Disk(), Options: o, Envs: x.envs, Manifest: m, Work: t.TempDir(), Image: image.Ref{Size: 100 << 20}}
		if err := r.Plan(context.Background()); err != nil {
			t.Fatal(err)
		}
		for _, c := range m.Cells {
			if c.NotRun == nil || !strings.Contains(c.NotRun.Reason, "up to "+x.need+" ") {
				t.Errorf("%s of %q: %+v, want %s", c.Env, o.Environments, c.NotRun, x.need)
			}
		}
	}
}

type keeper struct{ *benchtest.Fake }

func (keeper) Keeps(s bench.Spec) int64 { return s.Image.Size }

// A disk that has no room for a trial, whatever the budget says.
func TestDiskRoom(t *testing.T) {
	m := &results.Manifest{}
	s := Disk()
	s.Cells = func(bench.Options) []bench.Cell { return []bench.Cell{{Env: "host", Disk: 1 << 60}} }
	r := &engine.Runner{Scenario: s, Envs: []bench.Environment{&benchtest.Fake{Label: "host"}}, Manifest: m, Work: t.TempDir()}
	if err := r.Plan(context.Background()); err != nil {
		t.Fatal(err)
	}
	if n := m.Cells[0].NotRun; n == nil || !strings.Contains(n.Reason, "left") || !strings.Contains(n.Cure, "--work") {
		t.Errorf("an exbibyte: %+v", n)
	}
}

// An environment that can't say where its disk is isn't measured somewhere else.
func TestDiskNoPlace(t *testing.T) {
	var lines []results.Line
	dir := t.TempDir()
	probe := filepath.Join(dir, image.ProbePath)
	if err := errors.Join(os.MkdirAll(filepath.Dir(probe), 0o755), os.WriteFile(probe, nil, 0o755)); err != nil {
		t.Fatal(err)
	}
	s := Disk()
	s.Cells = func(bench.Options) []bench.Cell { return []bench.Cell{{Env: "host", Trials: 1, Timeout: 1e9}} }
	r := &engine.Runner{Scenario: s, Image: image.Ref{Dir: dir}, Envs: []bench.Environment{&benchtest.Fake{Label: "host"}}, Manifest: &results.Manifest{},
		Write: func(l []results.Line) error { lines = append(lines, l...); return nil }}
	if err := errors.Join(r.Plan(context.Background())); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Run(context.Background()); err != nil || len(lines) != 1 || !strings.Contains(lines[0].Err, "no place to write") {
		t.Errorf("%v: %+v", err, lines)
	}
}
