package msg

import "testing"

func TestNumber(t *testing.T) {
	for _, c := range []struct {
		v    float64
		want string
	}{{0, "0"}, {0.00213, "0.00213"}, {2.126, "2.13"}, {321.4, "321"}, {3169, "3169"}, {31694, "31,694"},
		{1234567.8, "1,234,568"}, {-4.2, "−4.20"}, {0.99996, "1.00"}, {9.996, "10.0"}, {99.97, "100"}, {0.9949, "0.995"}, {-0.09996, "−0.100"}, {-0.0004, "−0.000400"}} {
		if got := Number(c.v, 3); got != c.want {
			t.Errorf("number(%v) = %q, want %q", c.v, got, c.want)
		}
	}
	if got := English().Text((Scale{"ms", 1e-3}).Span(0.0024512, 0.0024528)); got != "2.451 to 2.453" {
		t.Errorf("a narrow span: %q", got)
	}
	for v, want := range map[float64]string{0.00213: "2.13 ms", 3.2: "3.20 s", 301e-6: "301 µs", 5e-9: "5.00 ns", 0: "0 ms", 900: "15.0 min"} {
		if got := Quantity(v, "s"); got != want {
			t.Errorf("quantity(%v) = %q, want %q", v, got, want)
		}
	}
	for v, want := range map[float64]string{12345678: "12.3 M/s", 1.9e9: "1.90 G/s", 38542: "38.5 k/s", 1000: "1.00 k/s", 920: "920 /s", 0: "0 /s", -2500: "−2.50 k/s"} {
		if got := Quantity(v, "1/s"); got != want {
			t.Errorf("quantity(%v) = %q, want %q", v, got, want)
		}
	}
}

// A column has one unit: the largest's, or a smaller one where the least would be nearly
// nothing in that.
func TestScaleOf(t *testing.T) {
	for want, column := range map[string][]float64{"ms": {319e-6, 332e-6, 2.55e-3, 3.15}, "µs": {7e-6, 0, 1.2e-3}, "s": {0.02, -1.5}, "min": {700, 900}} {
		if got := ScaleOf(column, "s"); got.Unit != want {
			t.Errorf("%v is in %s, want %s", column, got.Unit, want)
		}
	}
	if got := ScaleOf([]float64{1 << 30, 3 << 20}, "B").Unit; got != "MiB" {
		t.Error(got)
	}
	if got := ScaleOf(nil, "1"); got != Bare {
		t.Error(got)
	}
}

// An end of an interval is never rounded to what it was held against.
func TestSpanKeepsApart(t *testing.T) {
	for _, x := range []struct {
		lo, hi float64
		marks  []float64
		want   string
	}{
		{1.0004, 1.02, []float64{1}, "1.0004 to 1.0200"}, {1.0004, 1.02, nil, "1.00 to 1.02"}, {1, 1.02, []float64{1}, "1.00 to 1.02"},
		{0.94996, 1.01, []float64{0.95, 1.05}, "0.94996 to 1.0100"},
	} {
		if got := English().Text(Bare.Span(x.lo, x.hi, x.marks...)); got != x.want {
			t.Errorf("%v to %v: %s, want %s", x.lo, x.hi, got, x.want)
		}
	}
}

func TestCapital(t *testing.T) {
	for s, want := range map[string]string{"“near native” is": "“Near native” is", "ähnlich": "Ähnlich", "": "", "“": "“", "5": "5", "\xff": "\xff"} {
		if got := Capital(s); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}
