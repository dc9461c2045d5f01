package plot

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"lab/reports/msg"
)

// An axis maps values onto the page, from left to right.
type axis struct {
	min, max    float64
	log         bool
	left, right vg.Length
	unit        string
}

// What lies beyond can't be measured by anything, and can't be drawn.
const tiniest, largest = 1e-100, 1e100

// newAxis covers all values. A logarithmic axis shows only values above zero;
// where there are none, it becomes a linear one. A linear axis begins at zero
// where its values lie so far apart that this leaves them room.
func newAxis(values []float64, log bool, unit string) axis {
	lo, hi := math.Inf(1), math.Inf(-1)
	cover := func(positive bool) bool {
		for _, v := range values {
			if math.Abs(v) <= largest && (!positive || v >= tiniest) {
				lo, hi = min(lo, v), max(hi, v)
			}
		}
		return hi >= lo
	}
	if log && cover(true) {
		// Some air at both ends, and never less than a factor of two in all:
		// a millionth's difference must not fill the page.
		a, b := math.Log10(lo), math.Log10(hi)
		pad := max(0.05*(b-a), (math.Log10(2.5)-(b-a))/2, 0.02)
		return axis{min: math.Pow(10, a-pad), max: math.Pow(10, b+pad), log: true, unit: unit}
	}
	if !cover(false) {
		lo, hi = 0, 1
	}
	if lo > 0 && (hi-lo) > hi/3 || lo == hi {
		lo = min(lo, 0)
	}
	if hi < 0 && lo/3 > lo-hi {
		hi = 0
	}
	// Values that are all but equal must not fill the page either.
	if least := max(math.Abs(lo), math.Abs(hi), tiniest) * 1e-6; hi-lo < least {
		lo, hi = lo-least, hi+least
	}
	pad := (hi - lo) * 0.04
	x := axis{min: lo - pad, max: hi + pad, unit: unit}
	if lo == 0 {
		x.min = 0
	}
	return x
}

// shows reports whether a value has a place on the axis.
func (a axis) shows(v float64) bool {
	return math.Abs(v) <= largest && (!a.log || v >= tiniest)
}

// x is the place of a value.
func (a axis) x(v float64) vg.Length {
	lo, hi := a.min, a.max
	if a.log {
		v, lo, hi = math.Log10(v), math.Log10(lo), math.Log10(hi)
	}
	return a.left + vg.Length((v-lo)/(hi-lo))*(a.right-a.left)
}

// A tick is a line across the plot, with a label or without.
type tick struct {
	value float64
	label string
	rank  int // the lower, the sooner its label is placed
}

// ticks lists round values. Labels are in units for people, each its own on a
// logarithmic axis.
func (a axis) ticks() []tick {
	if a.log {
		return a.logTicks()
	}
	// Round in the unit that is printed: a third of a GiB isn't round in bytes.
	s := msg.ScaleFor(max(math.Abs(a.min), math.Abs(a.max)), a.unit)
	lo, hi := a.min/s.Times, a.max/s.Times
	step := math.Pow(10, math.Floor(math.Log10((hi-lo)/3)))
	for _, f := range []float64{5, 2} {
		if (hi-lo)/(step*f) >= 3 {
			step *= f
			break
		}
	}
	var out []tick
	for i := math.Ceil(lo / step); i*step <= hi && len(out) < 50; i++ {
		out = append(out, tick{value: i * step * s.Times, label: s.Round(i * step * s.Times)})
	}
	return out
}

// byteTicks are powers of two, every so many that about eight are left.
func (a axis) byteTicks() []tick {
	lo, hi := math.Ceil(math.Log2(a.min)), math.Floor(math.Log2(a.max))
	every := max(1, math.Ceil((hi-lo)/8))
	var out []tick
	for e := math.Ceil(lo/every) * every; e <= hi; e += every {
		v := math.Exp2(e)
		s := msg.ScaleFor(v, a.unit)
		out = append(out, tick{value: v, label: s.Round(v)})
	}
	return out
}

// unitRatio is the unit of an axis that shows ratios.
const unitRatio = "×"

// ratioTicks are round factors around 1, which comes first.
func (a axis) ratioTicks() []tick {
	var out []tick
	for rank, list := range [][]float64{{1}, {0.5, 2}, {0.1, 10, 100, 1000}, {0.8, 1.5, 0.2, 5}, {0.6, 1.2, 3, 20, 50, 200, 500}, {0.9, 1.1, 0.7, 0.3, 0.05, 30}} {
		for _, v := range list {
			if v >= a.min && v <= a.max {
				out = append(out, tick{v, msg.Round(v) + " ×", rank})
			}
		}
	}
	return out
}

// logTicks are the powers of ten, labelled; between them 2 and 5 where there
// is room, and the other digits as bare lines.
func (a axis) logTicks() []tick {
	switch a.unit {
	case "B":
		return a.byteTicks()
	case unitRatio:
		return a.ratioTicks()
	}
	decades := math.Log10(a.max / a.min)
	first := true // the least round number is always labelled
	var out []tick
	for e := math.Floor(math.Log10(a.min)); e <= math.Ceil(math.Log10(a.max)); e++ {
		for m := 1.0; m < 10; m++ {
			v := m * math.Pow(10, e)
			if v < a.min || v > a.max {
				continue
			}
			t := tick{value: v}
			if m > 1 {
				t.rank = 1
			}
			if round := m == 1 || m == 2 || m == 5; m == 1 || round && (first || decades < 2.2) || decades < 0.7 {
				first = false
				s := msg.ScaleFor(v*1.0000001, a.unit)
				t.label = s.Round(v)
			}
			if t.label != "" || decades < 5 {
				out = append(out, t)
			}
		}
	}
	return out
}

// note says what isn't as a reader may take it.
func (a axis) note() msg.Message {
	switch {
	case a.log:
		return msg.T("axis.log")
	case a.min > 0:
		return msg.T("axis.no-zero")
	}
	return msg.Message{}
}

// A placed label has its tick's place on the axis, and where its middle is written.
type placed struct {
	label      string
	at, middle vg.Length
}

// labels places the labels of every nth tick; one may reach beyond the axis's ends as
// far as that. On a logarithmic axis those that find no room are left out; on a
// linear one they are none then, as what is left must be at equal distances.
func (a axis) labels(ticks []tick, every int, st style, beyond vg.Length) (out []placed) {
	const room = vg.Length(5) // between two labels
	for i, t := range ticks {
		if i%every != 0 {
			continue
		}
		l := placed{label: t.label, at: a.x(t.value)}
		if t.value == 0 {
			l.label = "0"
		}
		half := st.width(l.label) / 2
		l.middle = max(a.left+half-beyond, min(l.at, a.right-half+beyond))
		if slices.ContainsFunc(out, func(o placed) bool { return abs(o.middle-l.middle) < half+st.width(o.label)/2+room }) {
			if a.log {
				continue
			}
			return nil
		}
		out = append(out, l)
	}
	return out
}

func abs(x vg.Length) vg.Length { return max(x, -x) }

// grid draws an axis's lines, and as many labels as it has room for. Powers of ten
// have the first call on it.
func (p *page) grid(x axis, top, bottom vg.Length, st style, beyond vg.Length) {
	ticks := x.ticks()
	for _, t := range ticks {
		thin := vg.Length(0.3)
		if t.label != "" {
			thin = 0.6
		}
		p.line(x.x(t.value), top, x.x(t.value), bottom, thin, faint)
	}
	ticks = slices.DeleteFunc(ticks, func(t tick) bool { return t.label == "" })
	slices.SortStableFunc(ticks, func(s, t tick) int { return cmp.Compare(s.rank, t.rank) })
	var labels []placed
	for every := 1; len(labels) == 0 && every <= max(1, len(ticks)); every++ {
		labels = x.labels(ticks, every, st, beyond)
	}
	for _, l := range labels {
		p.line(l.at, bottom, l.at, bottom+3, 0.7, black)
		p.write(st, draw.XCenter, l.middle, bottom+st.size+2, l.label)
	}
	p.line(x.left, bottom, x.right, bottom, 0.7, black)
}
