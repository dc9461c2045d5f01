package reports

import (
	"bytes"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lab/bench/results"
	"lab/bench/stats"
	"lab/reports/analysis"
	"lab/reports/msg"
	"lab/reports/page"
)

// changed is the synthetic run once more, with the values of one environment
// multiplied, and whatever else f does.
func changed(trials int, env string, by float64, f func(*results.Run)) *results.Run {
	run := synthetic(trials)
	run.Dir = "changed"
	for i, l := range run.Lines {
		if l.Env == env && l.Value != nil {
			v := *l.Value * by
			run.Lines[i].Value = &v
		}
	}
	if f != nil {
		f(run)
	}
	return run
}

func compareRuns(t *testing.T, a, b *results.Run) *analysis.Contrast {
	t.Helper()
	c, err := analysis.Compare(a, b)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func rowOf(t *testing.T, c *analysis.Contrast, cell, metric string) analysis.ContrastRow {
	t.Helper()
	for _, r := range c.Rows {
		if english(r.Cell) == cell && r.Metric.Name == metric {
			return r
		}
	}
	t.Fatalf("no row %s, %s", cell, metric)
	return analysis.ContrastRow{}
}

// notes are all of a contrast's, or of machines'.
func notes(list []msg.Message) string { return strings.Join(msg.English().Texts(list), "\n") }

func TestCompareVerdicts(t *testing.T) {
	base := changed(40, "", 1, nil)
	for _, x := range []struct {
		by   float64
		want string
	}{{1, analysis.NoDifference}, {1.3, analysis.Slower}, {0.7, analysis.Faster}} {
		c := compareRuns(t, base, changed(40, "container", x.by, nil))
		r := rowOf(t, c, "container net=bridge", "ready")
		if r.Verdict != x.want || math.Abs(r.Ratio.Point-x.by) > 1e-9 {
			t.Errorf("times %v: %s, ratio %v; want %s", x.by, r.Verdict, r.Ratio, x.want)
		}
		if r := rowOf(t, c, "host", "ready"); r.Verdict != analysis.NoDifference || r.Ratio.Point != 1 {
			t.Errorf("host is %s, ratio %v", r.Verdict, r.Ratio)
		}
	}
}

// What can't be compared isn't, and says why.
func TestCompareRefuses(t *testing.T) {
	base := changed(40, "", 1, nil)
	for name, x := range map[string]struct {
		f      func(*results.Run)
		cell   string
		reason string
	}{
		"TCG against KVM": {func(r *results.Run) { r.Manifest.Cells[3].Settings = map[string]string{"accel": "kvm"} }, "vm, TCG (emulated) → vm, KVM (unfit)", "emulated in software (TCG)"},
		"image":           {func(r *results.Run) { r.Manifest.Image.Digest = "sha256:abcdef" }, "host", "the images differ"},
		"workload":        {func(r *results.Run) { r.Manifest.Workload.Digest = "" }, "host", "the workloads differ"},
		"unit": {func(r *results.Run) {
			r.Manifest.Metrics[0].Unit = "B"
		}, "host", "the metric isn't the same"},
		"few": {func(r *results.Run) {
			r.Lines = slices.DeleteFunc(r.Lines, func(l results.Line) bool { return l.Env == "host" && l.Block > 6 })
		}, "host", "5 values, and an interval needs 6"},
		"not run": {nil, "docker", "isn't installed"},
	} {
		c := compareRuns(t, base, changed(40, "", 1, x.f))
		metric := "ready"
		r := rowOf(t, c, x.cell, metric)
		if r.Compared() || !strings.Contains(english(r.Reason), x.reason) {
			t.Errorf("%s: %s, %q; want it refused for %q", name, r.Verdict, r.Reason, x.reason)
		}
	}
	other := changed(40, "", 1, func(r *results.Run) { r.Manifest.Scenario = "memory" })
	if _, err := analysis.Compare(base, other); err == nil {
		t.Error("two scenarios were compared")
	}
}

// Compared the other way round, slower is faster and the ratio its inverse.
func TestCompareIsSymmetric(t *testing.T) {
	a, b := changed(40, "", 1, nil), changed(40, "chroot", 1.4, nil)
	x, y := compareRuns(t, a, b), compareRuns(t, b, a)
	opposite := map[string]string{analysis.Faster: analysis.Slower, analysis.Slower: analysis.Faster, analysis.NoDifference: analysis.NoDifference, analysis.NotComparable: analysis.NotComparable}
	for i, r := range x.Rows {
		s := y.Rows[i]
		if s.Verdict != opposite[r.Verdict] {
			t.Errorf("%s is %s, and %s the other way round", r.Cell, r.Verdict, s.Verdict)
		}
		if r.Ratio != nil && math.Abs(r.Ratio.Point*s.Ratio.Point-1) > 1e-9 {
			t.Errorf("%s: ratios %v and %v", r.Cell, r.Ratio.Point, s.Ratio.Point)
		}
	}
}

func TestCompareBy(t *testing.T) {
	run := changed(40, "", 1, func(r *results.Run) {
		for i, c := range r.Manifest.Cells { // a second container cell
			if c.Env == "chroot" {
				r.Manifest.Cells[i].Env, r.Manifest.Cells[i].Variant = "container", map[string]string{"net": "none"}
			}
		}
		for i, l := range r.Lines {
			if l.Env == "chroot" {
				r.Lines[i].Env, r.Lines[i].Variant = "container", map[string]string{"net": "none"}
			}
		}
	})
	c, err := analysis.CompareBy(run, "net", "none", "bridge")
	if err != nil {
		t.Fatal(err)
	}
	if r := rowOf(t, c, "container net=none → container net=bridge", "ready"); r.Verdict != analysis.Slower || len(c.Rows) != 2 {
		t.Errorf("%s in %d rows", r.Verdict, len(c.Rows))
	}
	// By pairs of one block; not where the trials weren't shuffled.
	if r := c.Rows[0]; !r.Paired || r.Ratio.Method != stats.SignedRank || !strings.Contains(notes(c.Notes), "signed-rank") {
		t.Errorf("no pairs: %+v", r)
	}
	grouped := *run
	grouped.Manifest.Grouped = 20
	if g, err := analysis.CompareBy(&grouped, "net", "none", "bridge"); err != nil || g.Rows[0].Paired || !strings.Contains(english(g.Notes[0]), "weren't shuffled") {
		t.Errorf("grouped: %+v, %v", g, err)
	}
	if got := analysis.Choices(run); !slices.Equal(got, []string{"env", "net"}) {
		t.Errorf("choices %v", got)
	}
	if c, err = analysis.CompareBy(run, "env", "host", "container"); err != nil || len(c.Rows) != 4 {
		t.Errorf("by env: %v, %v", c, err)
	}
	if strings.Contains(notes(c.Notes), "TCG") {
		t.Errorf("neither is a guest: %q", c.Notes)
	}
	// An emulated guest isn't set against a process.
	if c, err = analysis.CompareBy(run, "env", "host", "vm"); err != nil || c.Tests != 0 {
		t.Errorf("host and an emulated vm: %+v, %v", c, err)
	}
	if _, err = analysis.CompareBy(run, "env", "host", "nothing"); err == nil {
		t.Error("nothing was compared")
	}
}

// Blocks that differ more than the rows do hide from two samples what pairs show: the
// row says both.
func TestCompareByAgainstReport(t *testing.T) {
	run := changed(40, "", 1, nil)
	for i, l := range run.Lines {
		v := 1 + float64(l.Block)
		if l.Env == "chroot" {
			v *= 1.01
		}
		run.Lines[i].Value = &v
	}
	c, err := analysis.CompareBy(run, "env", "host", "chroot")
	if err != nil {
		t.Fatal(err)
	}
	r := rowOf(t, c, "host → chroot", "ready")
	if r.Verdict != analysis.Slower || english(r.Reason) != "by the pairs of trials of one block; the report takes the rows as two samples: no difference found" {
		t.Errorf("%s: %q", r.Verdict, english(r.Reason))
	}
}

func TestDifferences(t *testing.T) {
	b := changed(40, "", 1, func(r *results.Run) {
		r.Machine.Kernel, r.Machine.CPUs, r.Machine.Load = "9.9", 8, 3
		r.Machine.Acceleration.Use, r.Machine.Acceleration.KVMPace.Ring0 = "kvm", 1e9
		r.Machine.Versions = map[string]string{"qemu": "9"}
		r.Manifest.Lab = "v9"
		r.Manifest.Cells[3].Settings = map[string]string{"accel": "tcg", "machine": "microvm"}
	})
	var got []string
	for _, d := range compareRuns(t, changed(40, "", 1, nil), b).Differs {
		got = append(got, english(differsIn(d)))
	}
	want := []string{
		"machine: acceleration use: tcg → kvm", "machine: cpus: 2 → 8", "machine: kernel: 0.0.0-synthetic → 9.9",
		"machine: versions libvirt: 0.0 → —", "machine: versions qemu: 0.0 → 9", "machine: load at the start: 0.12 → 3.0",
		"lab: v0-synthetic → v9", "vm: machine: q35 → microvm",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestLimits(t *testing.T) {
	c := compareRuns(t, changed(40, "", 1, nil), changed(40, "container", 1.3, nil))
	for limit, want := range map[string]int{
		"slower:5%": 2, "slower": 2, "slower:0.25": 2, "slower:40%": 0, "faster:5%": 0, "different:5%": 2,
	} {
		l, err := analysis.ParseLimit(limit)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Exceeds(l); len(got) != want {
			t.Errorf("%s: %d rows, want %d", limit, len(got), want)
		}
	}
	for _, bad := range []string{"", "slow:5%", "slower:", "slower:x%", "slower:-1%", "slower:5", "slower:1", "slower:nan", "slower:inf%"} {
		if l, err := analysis.ParseLimit(bad); err == nil {
			t.Errorf("%q is taken for %v", bad, l)
		}
	}
}

func FuzzParseLimit(f *testing.F) {
	f.Add("slower:5%")
	f.Add("different:0.1")
	f.Fuzz(func(t *testing.T, s string) {
		l, err := analysis.ParseLimit(s)
		if err != nil {
			return
		}
		again, err := analysis.ParseLimit(l.String())
		if err != nil || again.Word != l.Word || math.Abs(again.Share-l.Share) > 1e-5*l.Share {
			t.Errorf("%q is %v, and that is %v (%v)", s, l, again, err)
		}
	})
}

func TestContrastGolden(t *testing.T) {
	a := stored(t)
	a.Dir = "before"
	b := changed(12, "container", 1.5, func(r *results.Run) {
		r.Dir = "after"
		r.Machine.Kernel = "0.0.1-synthetic"
		r.Manifest.Cells[1].Env = "chroot2"
	})
	c := compareRuns(t, a, b)
	for name, write := range map[string]func(*bytes.Buffer) error{
		"contrast-120.txt": func(b *bytes.Buffer) error { return Contrast(c).Terminal(b, page.Options{Width: 120}) },
		"contrast-80.txt":  func(b *bytes.Buffer) error { return Contrast(c).Terminal(b, page.Options{Width: 80}) },
		"contrast.md":      func(b *bytes.Buffer) error { _, err := b.Write(Contrast(c).Markdown(msg.English())); return err },
		"contrast.csv":     func(b *bytes.Buffer) error { return ContrastCSV(c, b) },
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.Bytes())
		var columns int
		if _, err := fmt.Sscanf(name, "contrast-%d.txt", &columns); err == nil && width(b.String()) > columns {
			t.Errorf("%s is %d columns wide", name, width(b.String()))
		}
	}
}

// A row that ran under a KVM that the probe found unfit says so wherever it is named.
func TestUnfitKVM(t *testing.T) {
	run := changed(20, "", 1, func(r *results.Run) {
		r.Manifest.Cells[3].Settings = map[string]string{"accel": "kvm", "anyway": "yes"}
	})
	for use, want := range map[string]bool{"tcg": true, "kvm": false} {
		run.Machine.Acceleration.Use = use
		files, err := Files(run)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, f := range files {
			if name := filepath.Base(f.Name); name == "report.md" || name == "summary.json" {
				if strings.Contains(string(f.Data), "KVM (unfit)") {
					found++
				}
			}
		}
		var table strings.Builder
		if err := Terminal(&table, run, page.Options{Width: 120}); err != nil {
			t.Fatal(err)
		}
		if marked := strings.Contains(table.String(), "KVM (unfit)"); marked != want || found != map[bool]int{true: 2}[want] {
			t.Errorf("machine's verdict %s: marked in the table %v, in %d files", use, marked, found)
		}
	}
}
