// Package line is the language in which a probe inside an instance tells the
// host what it does and what it measured: lines of text on its standard
// output, which is a pipe or a console.
//
//	TOKEN 1 begin fault
//	TOKEN 1 end fault ns=151204133 value=2.51e-07 rounds=602112 cpu=151120871
//	TOKEN 1 samples fault unit=s b=640:12 b=641:7
//	TOKEN 1 fact fault cpus=2
//	TOKEN 1 error fault text="mmap: cannot allocate memory"
//	TOKEN 1 bye
//
// TOKEN is the instance's own (bench.Token): what a firmware or a kernel writes
// between the lines isn't taken for one. 1 is the version. After "begin" and
// after "end" the probe waits for a line on its standard input, so that both
// have reached the host at once, whatever the probe does next; end of file is a
// yes, too. In "end", ns is the section's length by the probe's own
// CLOCK_MONOTONIC, from just before "begin" is written to just before "end" is:
// the host's clock, stamped as the two lines come, must agree.
//
// Values are in base units. The package imports next to nothing, as the
// programs inside an instance are to stay small.
package line

import (
	"errors"
	"strconv"
	"strings"
)

// Version is the language's.
const Version = "1"

// Kinds of lines.
const (
	Begin   = "begin"   // a timed section begins
	End     = "end"     // it is over: ns, and what was measured
	Samples = "samples" // a distribution: unit, and a b=INDEX:COUNT a bucket
	Fact    = "fact"    // something that isn't timed
	Error   = "error"   // it failed: text
	Bye     = "bye"     // the last one
)

// A Line is one of them. Pairs are in the order in which they stand.
type Line struct {
	Kind  string
	Name  string // of the section; "" for bye
	Pairs []Pair
}

// A Pair is key=value.
type Pair struct{ Key, Value string }

// Number makes a pair of a number.
func Number(key string, v float64) Pair {
	return Pair{key, strconv.FormatFloat(v, 'g', -1, 64)}
}

// Count makes a pair of a whole number.
func Count(key string, n int64) Pair { return Pair{key, strconv.FormatInt(n, 10)} }

// Append writes the line, its line feed included, to b.
func (l Line) Append(b []byte, token string) []byte {
	b = append(b, token...)
	b = append(b, ' ')
	b = append(b, Version...)
	b = append(b, ' ')
	b = append(b, l.Kind...)
	if l.Name != "" {
		b = append(b, ' ')
		b = append(b, l.Name...)
	}
	for _, p := range l.Pairs {
		b = append(b, ' ')
		b = append(b, p.Key...)
		b = append(b, '=')
		if plain(p.Value) {
			b = append(b, p.Value...)
		} else {
			b = strconv.AppendQuote(b, p.Value)
		}
	}
	return append(b, '\n')
}

func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == '"' || c >= 0x7f {
			return false
		}
	}
	return s != ""
}

// ErrForeign is returned for text that isn't a line of this token: what a
// kernel or a firmware writes.
var ErrForeign = errors.New("not a probe's line")

// Parse reads one line, without its line feed. What comes before the token is
// left out: a kernel's text may end without a line feed.
func Parse(text, token string) (Line, error) {
	at := strings.Index(text, token+" ")
	if token == "" || at < 0 {
		return Line{}, ErrForeign
	}
	rest := strings.TrimRight(text[at+len(token)+1:], "\r\n ")
	version, rest, _ := strings.Cut(rest, " ")
	if version != Version {
		return Line{}, errors.New("probe speaks version " + strconv.Quote(version) + ", and this lab " + Version + ": the image is another lab's; lab image makes it anew")
	}
	var l Line
	l.Kind, rest, _ = strings.Cut(rest, " ")
	switch l.Kind {
	case Begin, End, Samples, Fact, Error, Bye:
	default:
		return Line{}, errors.New("probe: unknown kind of line " + strconv.Quote(l.Kind))
	}
	if word, more, _ := strings.Cut(rest, " "); word != "" && !strings.Contains(word, "=") {
		l.Name, rest = word, more
	}
	for rest = strings.TrimLeft(rest, " "); rest != ""; rest = strings.TrimLeft(rest, " ") {
		key, value, ok := strings.Cut(rest, "=")
		if !ok || key == "" || strings.ContainsAny(key, " \"") {
			return Line{}, errors.New("probe: not key=value: " + strconv.Quote(rest))
		}
		if strings.HasPrefix(value, `"`) {
			quoted, err := strconv.QuotedPrefix(value)
			if err != nil {
				return Line{}, errors.New("probe: a quote without end: " + strconv.Quote(value))
			}
			rest = value[len(quoted):]
			value, _ = strconv.Unquote(quoted)
		} else {
			value, rest, _ = strings.Cut(value, " ")
		}
		l.Pairs = append(l.Pairs, Pair{key, value})
	}
	return l, nil
}

// Text is the value of a key, or "".
func (l Line) Text(key string) string {
	for _, p := range l.Pairs {
		if p.Key == key {
			return p.Value
		}
	}
	return ""
}

// Float is the number of a key; ok is false where there is none.
func (l Line) Float(key string) (v float64, ok bool) {
	v, err := strconv.ParseFloat(l.Text(key), 64)
	return v, err == nil
}
