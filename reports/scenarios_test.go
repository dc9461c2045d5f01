package reports

import (
	"bytes"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lab/bench/results"
	"lab/reports/analysis"
	"lab/reports/msg"
	"lab/reports/page"
	"lab/reports/plot"
	"lab/scenarios"
)

// What a run of each scenario looks like as a page and on a terminal, with that
// scenario's own metrics, figures and findings: where these change on purpose,
// go test ./reports -run Scenarios -update. LAB_PLOTS=DIR keeps the plots, for
// someone to look at.
func TestScenariosGolden(t *testing.T) {
	for name, u := range made {
		t.Run(name, func(t *testing.T) {
			run := u.run(t, "tcg")
			files, err := Files(run)
			if err != nil {
				t.Fatal(err)
			}
			drawn := keepPlots(t, name, files)
			for _, f := range run.Manifest.Figures {
				if !drawn[f.Name] {
					t.Errorf("figure %s wasn't drawn", f.Name)
				}
			}
			for _, f := range files {
				if f.Name == "report.md" {
					golden(t, name+".md", f.Data)
					if n := len(bytes.Fields(f.Data)); n > mostWords {
						t.Errorf("report.md has %d words, more than %d", n, mostWords)
					}
				}
			}
			for _, width := range []int{80, 160} {
				var b bytes.Buffer
				if err := Terminal(&b, run, page.Options{Width: width}); err != nil {
					t.Fatal(err)
				}
				for l := range strings.Lines(b.String()) {
					if n := len([]rune(strings.TrimSuffix(l, "\n"))); n > width {
						t.Errorf("a line of %d columns: %s", n, l)
					}
				}
				if width == 80 {
					golden(t, name+".txt", b.Bytes())
				}
			}
		})
	}
}

// mostWords is what report.md may have in any scenario; the rest is in files of its own.
const mostWords = 2500

// A report of every scenario is short, whatever its values.
func TestReportIsShort(t *testing.T) {
	for _, make := range scenarios.List {
		s := make()
		t.Run(s.Name, func(t *testing.T) {
			run := madeUp{scenario: s, disturbed: 3, middle: func(c results.Cell, metric string) (float64, bool) {
				return float64(len(c.Env)%3) + 1e-3, true
			}}.run(t, "kvm")
			if n := len(bytes.Fields(report(analysis.Of(run)).Markdown(msg.English()))); n > mostWords {
				t.Errorf("report.md of %d rows has %d words, more than %d", len(run.Manifest.Cells), n, mostWords)
			}
		})
	}
}

// Under KVM guests are compared like all others: every figure is drawn with
// them, and every finding that has its cells is judged.
func TestScenariosUnderKVM(t *testing.T) {
	for name, u := range made {
		t.Run(name, func(t *testing.T) {
			run := u.run(t, "kvm")
			a := analysis.Of(run)
			files, err := plot.Draw(a, msg.English())
			if err != nil {
				t.Fatal(err)
			}
			keepPlots(t, name+"-kvm", files)
			for _, v := range a.Verdicts {
				if strings.Contains(english(v.Sentence()), "TCG") {
					t.Errorf("%s: %s", v.Finding.Name, english(v.Sentence()))
				}
			}
			if page := markdown(a); strings.Contains(page, "TCG") {
				t.Error("report.md speaks of emulation")
			}
		})
	}
}

// keepPlots says which figures are there, each as PNG, SVG and PDF, on no more
// than a page of A4.
func keepPlots(t *testing.T, name string, files []plot.File) map[string]bool {
	t.Helper()
	kinds := map[string]int{}
	for _, f := range files {
		if !strings.HasPrefix(f.Name, "plots/") {
			continue
		}
		base := filepath.Base(f.Name)
		kinds[strings.TrimSuffix(base, filepath.Ext(base))]++
		if strings.HasSuffix(base, ".png") {
			img, err := png.DecodeConfig(bytes.NewReader(f.Data))
			if err != nil {
				t.Fatalf("%s: %v", base, err)
			}
			if high := float64(img.Height) / float64(img.Width) * 170; high > 297 {
				t.Errorf("%s is %.0f mm high where it is 170 mm wide", base, high)
			}
		}
		if dir := os.Getenv("LAB_PLOTS"); dir != "" {
			if err := os.WriteFile(filepath.Join(dir, name+"-"+base), f.Data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	out := map[string]bool{}
	for figure, n := range kinds {
		out[figure] = n == 3
	}
	return out
}
