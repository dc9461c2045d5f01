package reports

import (
	"bytes"
	"strings"
	"testing"

	"lab/bench/results"
	"lab/reports/analysis"
	"lab/reports/msg"
	"lab/reports/page"
)

func reproduction(t *testing.T, a, b *results.Run) (*analysis.Reproduction, map[string]analysis.ReproductionRow) {
	t.Helper()
	r, err := analysis.Reproduce(a, b)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]analysis.ReproductionRow{}
	for _, row := range r.Rows {
		rows[row.Name] = row
	}
	return r, rows
}

// The same once more agrees; what was never decided can't be told.
func TestReproduceAgrees(t *testing.T) {
	r, rows := reproduction(t, changed(40, "", 1, nil), changed(40, "", 1.03, nil))
	for name, want := range map[string]string{
		"container-second": analysis.Agrees, "container-process": analysis.Agrees, "vm-slower": analysis.CantTell, "docker": analysis.CantTell,
	} {
		if got := rows[name]; got.Verdict != want {
			t.Errorf("%s: %s (%s), want %s", name, got.Verdict, got.Reason, want)
		}
	}
	if r.Count(analysis.Differs) != 0 || !r.Same {
		t.Errorf("%d differ; same machine: %v", r.Count(analysis.Differs), r.Same)
	}
}

// A folder whose values were raised by 20 % differs, by name; on another
// machine figures may be others, and only outcomes count.
func TestReproduceDoctored(t *testing.T) {
	doctored := changed(40, "container", 1.2, nil)
	_, rows := reproduction(t, doctored, changed(40, "", 1, nil))
	for _, name := range []string{"container-second", "container-process"} {
		if got := rows[name]; got.Verdict != analysis.Differs || !strings.Contains(english(got.Reason), "ready of container net=bridge is faster") {
			t.Errorf("%s: %s (%s)", name, got.Verdict, got.Reason)
		}
	}
	if got := rows["chroot-free"]; got.Verdict == analysis.Differs {
		t.Errorf("chroot-free: %s (%s)", got.Verdict, got.Reason)
	}
	elsewhere := changed(40, "", 1, func(r *results.Run) { r.Machine.ID = "another" })
	if _, rows = reproduction(t, doctored, elsewhere); rows["container-second"].Verdict != analysis.Agrees {
		t.Errorf("elsewhere: %+v", rows["container-second"])
	}
	// The outcome itself is another one.
	if _, rows = reproduction(t, changed(40, "container", 1000, nil), elsewhere); rows["container-second"].Verdict != analysis.Differs {
		t.Errorf("a thousandfold: %+v", rows["container-second"])
	}
}

func TestReproduceNotComparable(t *testing.T) {
	base := changed(40, "", 1, nil)
	for name, x := range map[string]struct {
		f       func(*results.Run)
		finding string
	}{
		"image":    {func(r *results.Run) { r.Manifest.Image.Digest = "sha256:ab" }, "container-second"},
		"workload": {func(r *results.Run) { r.Manifest.Workload.Digest = "sha256:ab" }, "container-second"},
		"kernel":   {func(r *results.Run) { r.Manifest.Kernel.Digest = "sha256:ab" }, "vm-kernel"},
		"kvm":      {func(r *results.Run) { r.Manifest.Cells[3].Settings = map[string]string{"accel": "kvm"} }, "vm-kernel"},
	} {
		_, rows := reproduction(t, base, changed(40, "", 1, x.f))
		if got := rows[x.finding]; got.Verdict != analysis.NotComparable {
			t.Errorf("%s: %+v", name, got)
		}
	}
	// The guests' kernel is no matter of a container's.
	if _, rows := reproduction(t, base, changed(40, "", 1, func(r *results.Run) { r.Manifest.Kernel.Digest = "x" })); rows["container-second"].Verdict != analysis.Agrees {
		t.Errorf("%+v", rows["container-second"])
	}
}

// What neither outcome may be quoted without stands beside each.
func TestReproduceCaveat(t *testing.T) {
	disturbed := func(r *results.Run) {
		for i := range r.Lines {
			r.Lines[i].Taint = []string{"pressure"}
		}
	}
	r, _ := reproduction(t, changed(40, "", 1, nil), changed(40, "container", 1000, disturbed))
	var text bytes.Buffer
	if err := Reproduction(r).Terminal(&text, page.Options{Width: 1000}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"It was “doesn't hold”, and now it is “holds” (38 of 38 trials were disturbed).", // a second or two
		"Its outcome is the same (now 78 of 78 trials were disturbed), its figures aren't",
		"Holds (now 13 of 13 trials were disturbed).",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the terminal has no %q:\n%s", want, text.String())
		}
	}
}

func TestReproductionGolden(t *testing.T) {
	a := stored(t)
	a.Dir = "original"
	b := changed(12, "container", 1.5, func(r *results.Run) { r.Dir = "again" })
	r, err := analysis.Reproduce(a, b)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := Reproduction(r).Terminal(&text, page.Options{Width: 100}); err != nil {
		t.Fatal(err)
	}
	golden(t, "reproduction.txt", text.Bytes())
	golden(t, "reproduction.md", Reproduction(r).Markdown(msg.English()))
}
