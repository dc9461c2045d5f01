package reports

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A scale is a unit for people: the base unit times a factor.
type scale struct {
	name  string
	times float64
}

// Scales that need no choice.
var (
	bare         = scale{"", 1}
	percents     = scale{"%", 0.01}
	milliseconds = scale{"ms", 1e-3}
)

// scales, from the largest down, by base unit.
var scales = map[string][]scale{
	"s":   {{"min", 60}, {"s", 1}, {"ms", 1e-3}, {"µs", 1e-6}, {"ns", 1e-9}},
	"B":   {{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}},
	"B/s": {{"GB/s", 1e9}, {"MB/s", 1e6}, {"kB/s", 1e3}, {"B/s", 1}},
	"1/s": {{"G/s", 1e9}, {"M/s", 1e6}, {"k/s", 1e3}, {"/s", 1}}, // files have 1/s; "250 1/s" would read as a fraction
}

// scaleFor picks the unit in which v is easy to read.
func scaleFor(v float64, unit string) scale {
	list := scales[unit]
	if len(list) == 0 {
		if unit == "1" {
			unit = ""
		}
		return scale{unit, 1}
	}
	v = math.Abs(v)
	for _, s := range list {
		from := s.times
		if s.name == "min" {
			from = 600 // seconds are read easily up to ten minutes
		}
		if v >= from {
			return s
		}
	}
	if v == 0 && unit == "s" {
		return scale{"ms", 1e-3}
	}
	return list[len(list)-1]
}

// number writes v with the given number of significant digits, never with an
// exponent, and with thousands apart.
func number(v float64, digits int) string {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return strings.Replace(strconv.FormatFloat(v, 'g', -1, 64), "-", "−", 1)
	}
	decimals := max(0, digits-1-int(math.Floor(math.Log10(math.Abs(v)))))
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

// in writes a value in a scale, without its name.
func (s scale) in(v float64) string { return number(v/s.times, 3) }

// with writes a value and the scale's name.
func (s scale) with(v float64) string { return s.join(s.in(v)) }

func (s scale) join(text string) string {
	if s.name == "" {
		return text
	}
	return text + " " + s.name
}

// span writes "2.31 to 2.52", with as many digits as tell the two apart, and each
// from marks that it is held against: 1.0002 isn't written as 1.00 where a verdict
// says that it is more than 1.
func (s scale) span(lo, hi float64, marks ...float64) string {
	a, b := lo/s.times, hi/s.times
	for digits := 3; ; digits++ {
		x, y := number(a, digits), number(b, digits)
		blurred := x == y && a != b
		for _, m := range marks {
			m /= s.times
			z := number(m, digits)
			blurred = blurred || a != m && x == z || b != m && y == z
		}
		if !blurred || digits == 6 {
			return x + " to " + y
		}
	}
}

// quantity writes a value with the unit that suits it.
func quantity(v float64, unit string) string { return scaleFor(v, unit).with(v) }

// signed writes a difference with its sign.
func (s scale) signed(v float64) string {
	if v > 0 {
		return "+" + s.in(v)
	}
	return s.in(v)
}

// times writes a ratio: "7.87 ×".
func times(ratio float64) string { return number(ratio, 3) + " ×" }

// percent writes a share: "42 %", "0.3 %".
func percent(share float64) string {
	if p := share * 100; p >= 9.95 || p <= 0 {
		return strconv.FormatFloat(p, 'f', 0, 64) + " %"
	}
	return strconv.FormatFloat(share*100, 'f', 1, 64) + " %"
}

// probability writes a p-value.
func probability(p float64) string {
	if p < 0.0001 {
		return "< 0.0001"
	}
	return number(p, 2)
}

// plural writes "1 trial", "3 trials".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// plain writes a round number as short as it is.
func plain(v float64) string {
	for digits := 1; digits < 6; digits++ {
		s := number(v, digits)
		if v == 0 {
			return "0"
		}
		rounding := math.Pow(10, math.Floor(math.Log10(math.Abs(v)))-float64(digits-1))
		if math.Abs(math.Round(v/rounding)*rounding-v) < 1e-6*math.Abs(v) {
			return s
		}
	}
	return number(v, 6)
}

// capital and lower change the first letter alone, capital also behind a quotation
// mark; lower leaves abbreviations
// such as KVM as they are.
func capital(s string) string {
	head := len(s) - len(strings.TrimLeft(s, "“\"'("))
	r, n := utf8.DecodeRuneInString(s[head:])
	if n == 0 || r == utf8.RuneError {
		return s
	}
	return s[:head] + string(unicode.ToUpper(r)) + s[head+n:]
}

func lower(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if next, _ := utf8.DecodeRuneInString(s[n:]); n == 0 || unicode.IsUpper(next) {
		return s
	}
	return string(unicode.ToLower(r)) + s[n:]
}

func pairs(m map[string]string) []string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, k+"="+m[k])
	}
	return out
}

func nonEmpty(items ...string) []string {
	return slices.DeleteFunc(items, func(s string) bool { return s == "" })
}

// oneLine keeps what comes from outside from breaking a table or a list.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// shortened is an error's text on one line, and not much more: a program's
// whole output may be in it.
func shortened(s string) string {
	s = oneLine(s)
	if r := []rune(s); len(r) > 240 {
		s = string(r[:240]) + " …"
	}
	return s
}

func wasWere(n int, noun string) string {
	if n == 1 {
		return "1 " + noun + " was"
	}
	return plural(n, noun) + " were"
}

// listed writes "a, b and c".
func listed(names []string) string {
	text := ""
	for i, n := range names {
		switch {
		case i > 0 && i == len(names)-1:
			text += " and "
		case i > 0:
			text += ", "
		}
		text += n
	}
	return text
}
