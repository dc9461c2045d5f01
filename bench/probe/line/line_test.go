package line

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

const token = "lab-0123456789ab"

func TestRoundTrip(t *testing.T) {
	for _, l := range []Line{
		{Kind: Bye},
		{Kind: Begin, Name: "fault"},
		{Kind: End, Name: "fault", Pairs: []Pair{Count("ns", 151204133), Number("seconds", 2.51e-7)}},
		{Kind: Error, Name: "float", Pairs: []Pair{{"text", "two words, \"quoted\", a\nline feed, ü and ="}}},
		{Kind: Fact, Name: "x", Pairs: []Pair{{"empty", ""}, {"a", "b=c"}}},
	} {
		text := string(l.Append(nil, token))
		if strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, "\n") {
			t.Errorf("%q isn't one line", text)
		}
		for _, before := range []string{"", "[    0.5] Linux says ", "\x1b[2J"} {
			got, err := Parse(before+strings.TrimSuffix(text, "\n")+"\r", token)
			if err != nil || !reflect.DeepEqual(got, l) {
				t.Errorf("%q: %+v, %v; want %+v", text, got, err, l)
			}
		}
	}
	l := Line{Pairs: []Pair{Number("v", 0.1), {"t", "x"}}}
	if v, ok := l.Float("v"); v != 0.1 || !ok {
		t.Errorf("v: %v, %v", v, ok)
	}
	if _, ok := l.Float("t"); ok {
		t.Error("a word is a number")
	}
	if _, ok := l.Float("none"); ok || l.Text("none") != "" {
		t.Error("what isn't there has a value")
	}
}

func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 ErrForeign.Error(),
		"Linux version 6.1":                ErrForeign.Error(),
		"lab-ffffffffffff 1 bye":           ErrForeign.Error(),
		token:                              ErrForeign.Error(),
		token + " 2 bye":                   "lab image",
		token + " 1 dance":                 "unknown kind",
		token + " 1 end x y":               "not key=value",
		token + " 1 end x =3":              "not key=value",
		token + ` 1 error x text="no end`:  "without end",
		token + ` 1 error x "text"="what"`: "not key=value",
	} {
		_, err := Parse(text, token)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if _, err := Parse("anything", ""); !errors.Is(err, ErrForeign) {
		t.Errorf("without a token: %v", err)
	}
}

// Nothing that comes over a console makes Parse panic.
func FuzzParse(f *testing.F) {
	f.Add(token + " 1 end fault ns=1 b=3:4 text=\"a b\"")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := Parse(text, token)
		if err != nil {
			return
		}
		again, err := Parse(strings.TrimSuffix(string(l.Append(nil, token)), "\n"), token)
		if err != nil || again.Kind != l.Kind || again.Name != l.Name {
			t.Errorf("%q: %+v, then %+v, %v", text, l, again, err)
		}
	})
}
