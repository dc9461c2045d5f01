package msg

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Scale is a unit for people: the base unit times a factor.
type Scale struct {
	Unit  string
	Times float64
}

// Scales that need no choice.
var (
	Bare         = Scale{"", 1}
	Percents     = Scale{"%", 0.01}
	Milliseconds = Scale{"ms", 1e-3}
)

// scales, from the largest down, by base unit.
var scales = map[string][]Scale{
	"s":   {{"min", 60}, {"s", 1}, {"ms", 1e-3}, {"µs", 1e-6}, {"ns", 1e-9}},
	"B":   {{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}},
	"B/s": {{"GB/s", 1e9}, {"MB/s", 1e6}, {"kB/s", 1e3}, {"B/s", 1}},
	"1/s": {{"G/s", 1e9}, {"M/s", 1e6}, {"k/s", 1e3}, {"/s", 1}}, // files have 1/s; "250 1/s" would read as a fraction
}

// ScaleFor picks the unit in which v is easy to read.
func ScaleFor(v float64, unit string) Scale {
	list := scales[unit]
	if len(list) == 0 {
		if unit == "1" {
			unit = ""
		}
		return Scale{unit, 1}
	}
	v = math.Abs(v)
	for _, s := range list {
		from := s.Times
		if s.Unit == "min" {
			from = 600 // seconds are read easily up to ten minutes
		}
		if v >= from {
			return s
		}
	}
	if v == 0 && unit == "s" {
		return Scale{"ms", 1e-3}
	}
	return list[len(list)-1]
}

// ScaleOf picks one unit for all of a column, so that its numbers can be compared at a
// glance: the one that suits the largest, or a smaller one in which the least is at least
// a hundredth. Zeros don't count.
func ScaleOf(column []float64, unit string) Scale {
	least, most := math.Inf(1), 0.0
	for _, v := range column {
		if v = math.Abs(v); v > 0 && !math.IsInf(v, 0) {
			least, most = min(least, v), max(most, v)
		}
	}
	s := ScaleFor(most, unit)
	for _, smaller := range scales[unit] {
		if smaller.Times < s.Times && least < s.Times/100 {
			s = smaller
		}
	}
	return s
}

// Number writes v with the given number of significant digits, never with an
// exponent, and with thousands apart.
func Number(v float64, digits int) string {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return strings.Replace(strconv.FormatFloat(v, 'g', -1, 64), "-", "−", 1)
	}
	decimals := max(0, digits-1-int(math.Floor(math.Log10(math.Abs(v)))))
	// What is rounded up to the next power of ten has one digit more: 0.9996 is 1.00.
	if decimals > 0 && math.Abs(v)*math.Pow10(decimals)+0.5 >= math.Pow10(digits) {
		decimals--
	}
	s := strconv.FormatFloat(math.Abs(v), 'f', decimals, 64)
	whole, rest, _ := strings.Cut(s, ".")
	if len(whole) > 4 {
		for i := len(whole) - 3; i > 0; i -= 3 {
			whole = whole[:i] + "," + whole[i:]
		}
	}
	if rest != "" {
		whole += "." + rest
	}
	if v < 0 && strings.Trim(s, "0.") != "" {
		whole = "−" + whole
	}
	return whole
}

// In writes a value in a scale, without its name.
func (s Scale) In(v float64) string { return Number(v/s.Times, 3) }

// With writes a value and the scale's name.
func (s Scale) With(v float64) string {
	if s.Unit == "" {
		return s.In(v)
	}
	return s.In(v) + " " + s.Unit
}

// Join puts the scale's name behind a text.
func (s Scale) Join(x Message) Message {
	if s.Unit == "" {
		return x
	}
	return T("unit", x, s.Unit)
}

// Span writes "2.31 to 2.52", with as many digits as tell the two apart, and each
// from marks that it is held against: 1.0002 isn't written as 1.00 where a verdict
// says that it is more than 1.
func (s Scale) Span(lo, hi float64, marks ...float64) Message {
	a, b := lo/s.Times, hi/s.Times
	for digits := 3; ; digits++ {
		x, y := Number(a, digits), Number(b, digits)
		blurred := x == y && a != b
		for _, m := range marks {
			m /= s.Times
			z := Number(m, digits)
			blurred = blurred || a != m && x == z || b != m && y == z
		}
		if !blurred || digits == 6 && x != y {
			return T("span", x, y)
		}
		if digits == 6 { // they differ by how a computer rounds
			return T("span", Number(a, 3), Number(b, 3))
		}
	}
}

// Quantity writes a value with the unit that suits it.
func Quantity(v float64, unit string) string { return ScaleFor(v, unit).With(v) }

// Head is a column's heading with the scale's name.
func (s Scale) Head(title Message) Message {
	if s.Unit == "" {
		return title
	}
	return T("in-brackets", title, s.Unit)
}

// Signed writes a difference with its sign and unit.
func (s Scale) Signed(v float64) string { return plus(v) + s.With(v) }

// SignedIn writes a difference with its sign, and without a unit.
func (s Scale) SignedIn(v float64) string { return plus(v) + s.In(v) }

func plus(v float64) string {
	if v > 0 {
		return "+"
	}
	return ""
}

// Times writes a ratio: "7.87 ×".
func Times(ratio float64) string { return Number(ratio, 3) + " ×" }

// Percent writes a share: "42 %", "0.3 %".
func Percent(share float64) string {
	if p := share * 100; p >= 9.95 || p <= 0 {
		return strconv.FormatFloat(p, 'f', 0, 64) + " %"
	}
	return strconv.FormatFloat(share*100, 'f', 1, 64) + " %"
}

// Probability writes a p-value.
func Probability(p float64) string {
	if p < 0.0001 {
		return "< 0.0001"
	}
	return Number(p, 2)
}

// Round writes a round number as short as it is.
func Round(v float64) string {
	for digits := 1; digits < 6; digits++ {
		s := Number(v, digits)
		if v == 0 {
			return "0"
		}
		rounding := math.Pow(10, math.Floor(math.Log10(math.Abs(v)))-float64(digits-1))
		if math.Abs(math.Round(v/rounding)*rounding-v) < 1e-6*math.Abs(v) {
			return s
		}
	}
	return Number(v, 6)
}

// Capital and lower change the first letter alone, capital also behind a quotation
// mark; lower leaves abbreviations
// such as KVM as they are.
func Capital(s string) string {
	head := len(s) - len(strings.TrimLeft(s, "“\"'("))
	r, n := utf8.DecodeRuneInString(s[head:])
	if n == 0 || r == utf8.RuneError {
		return s
	}
	return s[:head] + string(unicode.ToUpper(r)) + s[head+n:]
}

func Lower(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if next, _ := utf8.DecodeRuneInString(s[n:]); n == 0 || unicode.IsUpper(next) {
		return s
	}
	return string(unicode.ToLower(r)) + s[n:]
}

func Pairs(m map[string]string) []string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, k+"="+m[k])
	}
	return out
}

func NonEmpty(items ...string) []string {
	return slices.DeleteFunc(items, func(s string) bool { return s == "" })
}

// OneLine keeps what comes from outside from breaking a table or a list.
func OneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// Shortened is an error's text on one line, and not much more: a program's
// whole output may be in it.
func Shortened(s string) string {
	s = OneLine(s)
	if r := []rune(s); len(r) > 240 {
		s = string(r[:240]) + " …"
	}
	return s
}

// Round writes a round number with the scale's name, as short as it is.
func (s Scale) Round(v float64) string { return strings.TrimSpace(Round(v/s.Times) + " " + s.Unit) }
