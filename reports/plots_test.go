package reports

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"regexp"
	"strings"
	"testing"

	"lab/bench/results"
	"lab/reports/analysis"
	"lab/reports/msg"
	"lab/reports/plot"
)

// words are all texts of an SVG, in their order.
func words(t *testing.T, svg string) []string {
	t.Helper()
	var out []string
	d := xml.NewDecoder(strings.NewReader(svg))
	inText := false
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("not XML: %v", err)
		}
		switch x := tok.(type) {
		case xml.StartElement:
			inText = x.Name.Local == "text"
		case xml.EndElement:
			inText = false
		case xml.CharData:
			if inText {
				out = append(out, string(x))
			}
		}
	}
}

func TestPlotsAreDeterministic(t *testing.T) {
	first, second := exercise(t, synthetic(12)), exercise(t, synthetic(12))
	for name, data := range first {
		if second[name] != data {
			t.Errorf("%s isn't the same when made again", name)
		}
	}
}

func TestPlotsSayWhatTheyShow(t *testing.T) {
	files := exercise(t, synthetic(24))
	for name, want := range map[string][]string{
		"plots/ready.svg": {"How long it takes until the program runs", "host", "chroot", "container", "net=bridge",
			"vm", "TCG (emulated)", "docker", "not run: the program docker isn't installed; fix: apt-get install docker.io",
			"logarithmic scale: equal distances are equal factors", "one trial", "a disturbed trial (counted)", "median", "its 95 % interval"},
		"plots/phases.svg": {"What a start consists of", "vm, TCG (emulated)", "host"},
	} {
		got := words(t, files[name])
		all := strings.Join(got, "\n")
		for _, w := range want {
			if !strings.Contains(all, w) {
				t.Errorf("%s lacks %q", name, w)
			}
		}
		if !strings.Contains(all, "not how fast VMs are") {
			t.Errorf("%s doesn't say what TCG means", name)
		}
	}
	bar := strings.Join(words(t, files["plots/phases.svg"]), "\n")
	if !regexp.MustCompile(`\d kernel 2\.\d+ s \(7\d %\)`).MatchString(bar) {
		t.Errorf("phases.svg doesn't name the kernel's share:\n%s", bar)
	}
}

// Each trial is one mark: 24 + 24 + 23 + 8 counted ones, of which the
// disturbed are rings.
func TestEveryTrialIsDrawn(t *testing.T) {
	run := synthetic(24)
	svg := exercise(t, run)["plots/ready.svg"]
	a := analysis.Of(run)
	filled, rings := 0, 0
	for _, c := range a.Cells {
		filled += c.Counted() - c.Disturbed()
		rings += c.Disturbed()
	}
	// Trials are drawn half through; the key's dot is drawn full.
	if got := strings.Count(svg, "fill-opacity:0.588"); got != filled {
		t.Errorf("%d filled dots, want %d", got, filled)
	}
	if got := len(regexp.MustCompile(`<path d="[^"]*A[^"]*"[^>]*stroke-width:0\.7`).FindAllString(svg, -1)); got != rings+1 {
		t.Errorf("%d rings, want %d and one in the key", got, rings)
	}
}

// A handout is printed: at least 200 dots an inch, on an A4 page's width.
func TestPNGSize(t *testing.T) {
	for name, data := range exercise(t, synthetic(12)) {
		if !strings.HasSuffix(name, ".png") {
			continue
		}
		img, err := png.Decode(bytes.NewReader([]byte(data)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if perInch := float64(img.Bounds().Dx()) / (170 / 25.4); perInch < 200 {
			t.Errorf("%s has %.0f dots an inch", name, perInch)
		}
	}
}

func TestManyRowsMakeNoGiant(t *testing.T) {
	run := &results.Run{Manifest: results.Manifest{Figures: synthetic(6).Manifest.Figures}}
	for i := range 1500 {
		v := 0.001 * float64(i+1)
		run.Lines = append(run.Lines, results.Line{Env: "host", N: i + 1, Trial: i, Metric: "ready", Value: &v, Unit: "s", Last: true})
	}
	img, err := png.DecodeConfig(strings.NewReader(exercise(t, run)["plots/ready.png"]))
	if err != nil || img.Height > 25_000 {
		t.Errorf("height %d, %v", img.Height, err)
	}
}

// Figures of ratios and of panels are drawn with what there is: with no baseline,
// with one trial, with a guest that is emulated alone, with a metric that has only
// words.
func TestSeveralMetrics(t *testing.T) {
	for _, kind := range []string{"ratios", "panels"} {
		t.Run(kind, func(t *testing.T) { testSeveralMetrics(t, kind) })
	}
}

func testSeveralMetrics(t *testing.T, kind string) {
	fig := results.Figure{Name: kind, Title: "Several", Kind: kind, Metrics: []string{"ready", "gone", "none"}}
	for name, keep := range map[string]func(results.Cell) bool{
		"all":         func(results.Cell) bool { return true },
		"no baseline": func(c results.Cell) bool { return c.Env != "host" },
		"host alone":  func(c results.Cell) bool { return c.Env == "host" },
		"vm alone":    func(c results.Cell) bool { return c.Env == "vm" },
	} {
		run := *stored(t)
		run.Manifest.Figures = []results.Figure{fig}
		var cells []results.Cell
		for _, c := range run.Manifest.Cells {
			if keep(c) {
				cells = append(cells, c)
			}
		}
		run.Manifest.Cells = cells
		var lines []results.Line
		for _, l := range run.Lines {
			if keep(results.Cell{Env: l.Env}) {
				lines = append(lines, l)
			}
		}
		run.Lines = lines
		a := analysis.Of(&run)
		if why := plot.Undrawable(a, fig); !why.IsZero() {
			t.Errorf("%s: %s", name, english(why))
		}
		files, err := plot.Draw(a, msg.English())
		if err != nil || len(files) != 3 {
			t.Errorf("%s: %d files, %v", name, len(files), err)
		}
	}
}

// The panels of a figure say all that was measured, in the order of the cells, and
// emulated guests stand apart from what they aren't compared with.
func TestPanels(t *testing.T) {
	run := *stored(t)
	run.Manifest.Figures = []results.Figure{{Name: "panels", Title: "Panels", Kind: "panels", Metrics: []string{"ready", "gone"}}}
	a := analysis.Of(&run)
	files, err := plot.Draw(a, msg.English())
	if err != nil {
		t.Fatal(err)
	}
	var svg string
	for _, f := range files {
		if strings.HasSuffix(f.Name, ".svg") {
			svg = string(f.Data)
		}
	}
	at := 0
	for _, want := range []string{">Time until ready<", ">host<", ">chroot<", ">container net=bridge<", "not run", ">Time until gone<", "no measure of how fast VMs are", ">vm<", "emulated in software"} {
		i := strings.Index(svg[at:], want)
		if want == ">host<" || want == ">chroot<" || want == ">container net=bridge<" || want == "not run" {
			// Names come first, once for panels that stand abreast.
			if !strings.Contains(svg, want) {
				t.Errorf("no %q", want)
			}
			continue
		}
		if i < 0 {
			t.Errorf("no %q after byte %d", want, at)
			continue
		}
		at += i
	}
	for _, c := range a.Cells {
		if s := c.Samples["ready"]; s != nil {
			u := msg.ScaleFor(s.Median.Point, "s")
			if want := u.With(s.Median.Point) + " (" + english(u.Span(s.Median.Lo, s.Median.Hi)) + ")"; !strings.Contains(svg, want) {
				t.Errorf("%s: no %q", c.Name, want)
			}
		}
	}
}
