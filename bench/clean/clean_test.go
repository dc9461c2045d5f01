package clean

import (
	"bytes"
	"encoding/csv"
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestTargets(t *testing.T) {
	for _, test := range []struct {
		f        func(string) string
		in, want string
	}{
		{Line, "time until ready, 1.5 µs ± 2 × …", "time until ready, 1.5 µs ± 2 × …"},
		{Line, "가상화\u00a0(virtualization)", "가상화\u00a0(virtualization)"},
		{Line, "a\nb\tc\r\nd\u2028e", "a b c  d e"},
		{Line, "\x1b[31mred\x1b]0;title\x07", "\uFFFD[31mred\uFFFD]0;title\uFFFD"},
		{Line, "\u009b31m\u202etxt.exe\u2066\u200b\x00\x7f\xff", "\uFFFD31m\uFFFDtxt.exe\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD"},
		{Text, "a\n\tb\r\x1b[2J", "a\n\tb \uFFFD[2J"},
		{Markdown, "a\n# b", "a # b"},
		{Markdown, "# a", `\# a`},
		{Markdown, "12. a", `12\. a`},
		{Markdown, "- a", `\- a`},
		{Markdown, "a_b _c_ __d__", `a_b \_c\_ \_\_d\_\_`},
		{Markdown, "2.00 ms", "2.00 ms"},
		{Markdown, "+1.00 ms", "+1.00 ms"},
		{Markdown, "===", `\===`},
		{Markdown, "> a", `\> a`},
		{Markdown, "---", `\---`},
		{Markdown, `\<b>x</b> & &lt; \`, `\\\<b>x\</b> \& \&lt; \\`},
		{Markdown, "a|b `c` *d* ![e](f) ~g~ $h$", `a\|b 'c' \*d\* !\[e](f) \~g\~ \$h\$`},
		{Markdown, "net=bridge, 1.5 ms (95 %)", "net=bridge, 1.5 ms (95 %)"},
		{CSV, "=1+1", "'=1+1"},
		{CSV, "@SUM(A1)", "'@SUM(A1)"},
		{CSV, "-2+3", "'-2+3"},
		{CSV, "+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"},
		{CSV, "-2.5e-3", "-2.5e-3"},
		{CSV, "a\n=1", "a =1"},
		{CSV, "\t=1", " =1"},
		{TeX, `\input{x} 50% a_b ^^41 #1`, `\textbackslash{}input\{x\} 50\% a\_b \textasciicircum{}\textasciicircum{}41 \#1`},
		{TeXName, "a}\\input{x}\n%^^5cx", "ainputx 5cx"},
	} {
		if got := test.f(test.in); got != test.want {
			t.Errorf("%q: %q, want %q", test.in, got, test.want)
		}
	}
}

func TestWriter(t *testing.T) {
	for _, test := range []struct {
		color bool
		want  string
	}{
		{false, "µ\uFFFD[1mbold\uFFFD[0m \uFFFD[2J\n\uFFFD"},
		{true, "µ\x1b[1mbold\x1b[0m \uFFFD[2J\n\uFFFD"},
	} {
		var b bytes.Buffer
		w := &Writer{To: &b, Color: test.color}
		// A character in two writes; one that never ends.
		for _, part := range []string{"\xc2", "\xb5\x1b[1mbold", "\x1b[0m \x1b[2J\n", "\xe2\x80"} {
			if n, err := w.Write([]byte(part)); n != len(part) || err != nil {
				t.Fatal(n, err)
			}
		}
		if err := w.Close(); err != nil || b.String() != test.want {
			t.Errorf("%q, %v; want %q", b.String(), err, test.want)
		}
	}
	w := &Writer{To: failing{}}
	w.Write([]byte("x"))
	if _, err := w.Write([]byte("y")); !errors.Is(err, errFull) || !errors.Is(w.Close(), errFull) {
		t.Error("the first error is forgotten:", err)
	}
}

var errFull = errors.New("full")

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errFull }

func TestStrings(t *testing.T) {
	type inner struct {
		S    string
		Map  map[string][]string
		Next *inner
		Any  any
	}
	v := inner{"a", map[string][]string{"k": {"x", "a"}, "a": nil}, &inner{S: "a", Any: "a"}, 3}
	before := inner{"a", map[string][]string{"k": {"x", "a"}, "a": nil}, &inner{S: "a", Any: "a"}, 3}
	got := Strings(v, func(s string) string { return strings.ReplaceAll(s, "a", "b") })
	want := inner{"b", map[string][]string{"k": {"x", "b"}, "b": nil}, &inner{S: "b", Any: "b"}, 3}
	if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(v, before) {
		t.Errorf("%+v from %+v", got, v)
	}
}

// Whatever comes in, nothing invisible comes out, one line stays one, and what is
// clean stays as it is.
func FuzzClean(f *testing.F) {
	for _, s := range []string{"", "a b", "\x1b[31m", "\u202e", "a\r\n# b", "\xff\xfe", "=1", "\\\\<b>", "`|*[", "^^5c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for name, clean := range map[string]func(string) string{"line": Line, "text": Text, "markdown": Markdown, "csv": CSV, "tex": TeX, "name": TeXName} {
			got := clean(s)
			if !utf8.ValidString(got) {
				t.Fatalf("%s of %q isn't UTF-8: %q", name, s, got)
			}
			for _, r := range got {
				if !unicode.IsGraphic(r) && (name != "text" || r != '\n' && r != '\t') {
					t.Fatalf("%s of %q: %q has %U", name, s, got, r)
				}
			}
			if (name == "line" || name == "text") && clean(got) != got {
				t.Fatalf("%s of %q: %q, and then %q", name, s, got, clean(got))
			}
		}
		// A special character that isn't quoted.
		quoted := false
		for _, r := range Markdown(s) {
			if !quoted && strings.ContainsRune("|<`*[~$&", r) {
				t.Fatalf("markdown of %q: %q", s, Markdown(s))
			}
			quoted = r == '\\' && !quoted
		}
		var b bytes.Buffer
		w := csv.NewWriter(&b)
		w.Write([]string{"x", CSV(s)})
		w.Flush()
		back, err := csv.NewReader(&b).Read()
		if err != nil || len(back) != 2 || back[1] != CSV(s) {
			t.Fatalf("csv of %q: %q, %v", s, back, err)
		}
		if strings.ContainsAny(TeXName(s), `\{}%^`) {
			t.Fatalf("name of %q: %q", s, TeXName(s))
		}
	})
}
