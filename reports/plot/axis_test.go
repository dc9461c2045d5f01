package plot

import (
	"strings"
	"testing"

	"lab/bench/results"
	"lab/reports/analysis"
)

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

// More is better: the ratio is turned round, and its ends change places.
func TestRatioIsTurned(t *testing.T) {
	a := &analysis.Analysis{Run: &results.Run{}}
	host := &analysis.Cell{Samples: map[string]*analysis.Sample{"m": {Values: []float64{10, 10, 10, 10, 10, 10}}}}
	half := &analysis.Cell{Base: host, Samples: map[string]*analysis.Sample{"m": {Values: []float64{4, 5, 5, 5, 5, 5.5}}}}
	f := &ratios{&sheet{a: a}}
	iv, ok := f.of(half, results.Metric{Name: "m", Better: "higher"})
	if !ok || iv.Point != 2 || iv.Lo > 2 || iv.Hi < 2 || iv.Lo < 1 {
		t.Errorf("turned: %+v", iv)
	}
	if iv, _ = f.of(half, results.Metric{Name: "m", Better: "lower"}); iv.Point != 0.5 {
		t.Errorf("as it is: %+v", iv)
	}
}

// A figure that names what its rows are set beside takes that, and not the
// baseline that each has in the table.
func TestRatiosToOneRow(t *testing.T) {
	six := func(v float64) map[string]*analysis.Sample {
		return map[string]*analysis.Sample{"m": {Values: []float64{v, v, v, v, v, v}}}
	}
	make := func(env, net string, v float64) *analysis.Cell {
		c := analysis.NewCell(results.Cell{Env: env, Variant: map[string]string{"net": net}})
		c.Samples, c.Made = six(v), []analysis.Trial{{}}
		return c
	}
	lo, bridge, inside := make("host", "host", 2), make("host", "bridge", 4), make("container", "bridge", 6)
	inside.Base = bridge
	a := &analysis.Analysis{Run: &results.Run{}, Cells: []*analysis.Cell{lo, bridge, inside}}
	m := results.Metric{Name: "m", Better: "lower"}
	to := &ratios{&sheet{a: a, figure: results.Figure{To: "host", ToVariant: map[string]string{"net": "host"}}}}
	for c, want := range map[*analysis.Cell]float64{bridge: 2, inside: 3} {
		if iv, ok := to.of(c, m); !ok || iv.Point != want {
			t.Errorf("%s beside %s: %+v, want %v", c.Name, to.a.FigureBaseName(to.figure), iv, want)
		}
	}
	if _, ok := to.of(lo, m); ok {
		t.Error("a row is set beside itself")
	}
	if iv, ok := (&ratios{&sheet{a: a}}).of(inside, m); !ok || iv.Point != 1.5 {
		t.Errorf("beside its own baseline: %+v", iv)
	}
}
