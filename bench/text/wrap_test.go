package text_test

import (
	"fmt"
	"strings"
	"testing"

	"lab/bench/text"
)

func TestWrap(t *testing.T) {
	for _, x := range []struct{ line, want string }{
		{"short", "short"},
		{"one two three four five six", "one two three four\nfive six"},
		{"lab: one two three four five", "lab: one two three\n     four five"},
		{"  name     one two three four", "  name     one two\n           three\n           four"},
		{"- one two three four five", "- one two three four\n  five"},
		{"averyveryverylongwordthatstays whole", "averyveryverylongwordthatstays\nwhole"},
		{"     A=b ./lab run --resume results/x", "     A=b ./lab run \\\n         --resume \\\n         results/x"},
		{"     sudo lab run 'a b c' --quick", "     sudo lab run \\\n         'a b c' \\\n         --quick"},
		{"\x1b[32mone\x1b[0m two three four five", "\x1b[32mone\x1b[0m two three four\nfive"},
		{"été été été été été été", "été été été été été\nété"},
	} {
		if got := text.Wrap(x.line, 20); got != x.want {
			t.Errorf("%q is wrapped\n%s\nwant\n%s", x.line, got, x.want)
		}
		if got := text.Wrap(x.line+"\n", 0); got != x.line+"\n" {
			t.Errorf("without a width %q is %q", x.line, got)
		}
	}
}

// A line may come in pieces, and may be the last without an end.
func TestWriter(t *testing.T) {
	var b strings.Builder
	w := text.NewWriter(&b, 10)
	fmt.Fprint(w, "one ", "two three\nfour five", " six")
	if got := b.String(); got != "one two\nthree\n" {
		t.Errorf("before Flush %q", got)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if got := b.String(); got != "one two\nthree\nfour five\nsix" {
		t.Errorf("%q", got)
	}
}

// No text is lost, and no line that could be broken is too long.
func FuzzWrap(f *testing.F) {
	f.Add("  one  two three four five", 9)
	f.Add("sudo 'a b", 5)
	f.Fuzz(func(t *testing.T, line string, width int) {
		if width < 1 || width > 200 || len(line) > 1000 || strings.ContainsAny(line, "\n\x1b\\") {
			return
		}
		got := text.Wrap(line, width)
		if a, b := strings.Fields(strings.ReplaceAll(got, " \\\n", "\n")), strings.Fields(line); strings.Join(a, " ") != strings.Join(b, " ") {
			t.Errorf("%q became %q", line, got)
		}
	})
}
