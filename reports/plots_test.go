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
	a := analyse(run)
	filled, rings := 0, 0
	for _, c := range a.cells {
		filled += c.counted() - c.disturbed()
		rings += c.disturbed()
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

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		a    axis
		want string
	}{
		{axis{min: 0.8e-3, max: 12, log: true, unit: "s"}, "1 ms 10 ms 100 ms 1 s 10 s"},
		{axis{min: 0.3e-3, max: 6e-3, log: true, unit: "s"}, "500 µs 1 ms 2 ms 5 ms"},
		{axis{min: 2.5, max: 6.2, log: true, unit: "s"}, "3 s 4 s 5 s 6 s"},
		{axis{min: 0, max: 2.2, unit: "s"}, "0 s 0.5 s 1 s 1.5 s 2 s"},
		{axis{min: -1, max: 1, unit: "1"}, "−1 −0.5 0 0.5 1"},
		{axis{min: 0, max: 3 << 30, unit: "B"}, "0 GiB 1 GiB 2 GiB 3 GiB"},
		{axis{min: 3 << 20, max: 5 << 30, log: true, unit: "B"}, "4 MiB 16 MiB 64 MiB 256 MiB 1 GiB 4 GiB"},
	} {
		var got []string
		for _, tick := range c.a.ticks() {
			if tick.label != "" {
				got = append(got, tick.label)
			}
		}
		if text := strings.Join(got, " "); !strings.HasPrefix(text, c.want) {
			t.Errorf("%+v: %s, want %s", c.a, text, c.want)
		}
	}
}

func TestAxisCoversAndIsMonotonous(t *testing.T) {
	for _, log := range []bool{false, true} {
		for _, values := range [][]float64{nil, {1}, {0}, {-3, 4}, {1e-9, 5}, {5, 5.0000001}, {-2, -1}, {0, 1}} {
			a := newAxis(values, log, "s")
			a.left, a.right = 10, 110
			for _, v := range values {
				if x := a.x(v); a.shows(v) && !(x >= a.left-1e-6 && x <= a.right+1e-6) {
					t.Errorf("log=%v %v: %v is drawn at %v", log, values, v, x)
				}
			}
			if n := len(a.ticks()); n > 60 {
				t.Errorf("log=%v %v: %d ticks", log, values, n)
			}
		}
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
		a := analyse(&run)
		if err := a.drawable(fig); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		files, err := a.plots()
		if err != nil || len(files) != 3 {
			t.Errorf("%s: %d files, %v", name, len(files), err)
		}
	}
}

// More is better: the ratio is turned round, and its ends change places.
func TestRatioIsTurned(t *testing.T) {
	a := &analysis{run: &results.Run{}}
	host := &cell{samples: map[string]*sample{"m": {values: []float64{10, 10, 10, 10, 10, 10}}}}
	half := &cell{base: host, samples: map[string]*sample{"m": {values: []float64{4, 5, 5, 5, 5, 5.5}}}}
	f := &ratios{a: a}
	iv, ok := f.of(half, results.Metric{Name: "m", Better: "higher"})
	if !ok || iv.Point != 2 || iv.Lo > 2 || iv.Hi < 2 || iv.Lo < 1 {
		t.Errorf("turned: %+v", iv)
	}
	if iv, _ = f.of(half, results.Metric{Name: "m", Better: "lower"}); iv.Point != 0.5 {
		t.Errorf("as it is: %+v", iv)
	}
}

// The panels of a figure say all that was measured, in the order of the cells, and
// emulated guests stand apart from what they aren't compared with.
func TestPanels(t *testing.T) {
	run := *stored(t)
	run.Manifest.Figures = []results.Figure{{Name: "panels", Title: "Panels", Kind: "panels", Metrics: []string{"ready", "gone"}}}
	a := analyse(&run)
	files, err := a.plots()
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
	for _, c := range a.cells {
		if s := c.samples["ready"]; s != nil {
			u := scaleFor(s.median.Point, "s")
			if want := u.with(s.median.Point) + " (" + u.span(s.median.Lo, s.median.Hi) + ")"; !strings.Contains(svg, want) {
				t.Errorf("%s: no %q", c.label, want)
			}
		}
	}
}

// A figure that names what its rows are set beside takes that, and not the
// baseline that each has in the table.
func TestRatiosToOneRow(t *testing.T) {
	six := func(v float64) map[string]*sample {
		return map[string]*sample{"m": {values: []float64{v, v, v, v, v, v}}}
	}
	make := func(env, net string, v float64) *cell {
		c := newCell(results.Cell{Env: env, Variant: map[string]string{"net": net}})
		c.samples, c.trials = six(v), []trial{{}}
		return c
	}
	lo, bridge, inside := make("host", "host", 2), make("host", "bridge", 4), make("container", "bridge", 6)
	inside.base = bridge
	a := &analysis{run: &results.Run{}, cells: []*cell{lo, bridge, inside}}
	m := results.Metric{Name: "m", Better: "lower"}
	to := &ratios{a: a, figure: results.Figure{To: "host", ToVariant: map[string]string{"net": "host"}}}
	for c, want := range map[*cell]float64{bridge: 2, inside: 3} {
		if iv, ok := to.of(c, m); !ok || iv.Point != want {
			t.Errorf("%s beside %s: %+v, want %v", c.label, to.a.figureBaseName(to.figure), iv, want)
		}
	}
	if _, ok := to.of(lo, m); ok {
		t.Error("a row is set beside itself")
	}
	if iv, ok := (&ratios{a: a}).of(inside, m); !ok || iv.Point != 1.5 {
		t.Errorf("beside its own baseline: %+v", iv)
	}
}
