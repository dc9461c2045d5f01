package plot

import (
	"os"
	"slices"
	"testing"

	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

// Each letter that Korean texts and numbers use is in the font, in both weights, and
// can be seen; and the fonts are small.
func TestHangulFont(t *testing.T) {
	texts, err := os.ReadFile("../msg/ko.txt")
	if err != nil {
		t.Fatal(err)
	}
	letters := map[rune]bool{}
	for _, r := range string(texts) + "0123456789µ×−±–…→≥≤%()“”" {
		if r > ' ' {
			letters[r] = true
		}
	}
	size := 0
	for _, name := range []string{"regular", "bold"} {
		data, err := hangulFiles.ReadFile("hangul/" + name + ".ttf")
		if err != nil {
			t.Fatal(err)
		}
		size += len(data)
		f, err := opentype.Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		var b sfnt.Buffer
		for r := range letters {
			i, err := f.GlyphIndex(&b, r)
			if err != nil || i == 0 {
				t.Errorf("%s.ttf has no %q: reports/plot/hangul/make.sh makes it anew", name, r)
				continue
			}
			if outline, err := f.LoadGlyph(&b, i, fixed.I(12), nil); err != nil || len(outline) == 0 {
				t.Errorf("%s.ttf: %q can't be seen: %v", name, r, err)
			}
		}
	}
	if size > 400_000 {
		t.Errorf("the fonts have %d bytes", size)
	}
}

// What an SVG takes with it are the letters that it uses, as they are.
func TestCut(t *testing.T) {
	data, err := hangulFiles.ReadFile("hangul/regular.ttf")
	if err != nil {
		t.Fatal(err)
	}
	part, err := cut(data, []rune("준비 µs"))
	if err != nil {
		t.Fatal(err)
	}
	whole, err := opentype.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	f, err := opentype.Parse(part)
	if err != nil || len(part) > 20_000 {
		t.Fatal(len(part), err)
	}
	var b sfnt.Buffer
	for r, there := range map[rune]bool{'준': true, 'µ': true, 's': true, '가': false} {
		i, err := f.GlyphIndex(&b, r)
		if err != nil || i == 0 {
			t.Fatal(i, err)
		}
		got, err := f.LoadGlyph(&b, i, fixed.I(12), nil)
		if err != nil || (len(got) > 0) != there {
			t.Errorf("%q: %v, %v", r, got, err)
		}
		got = slices.Clone(got)
		if want, err := whole.LoadGlyph(&b, i, fixed.I(12), nil); there && (err != nil || !slices.Equal(got, want)) {
			t.Errorf("%q is another letter: %v", r, err)
		}
	}
}

func TestHangul(t *testing.T) {
	for text, want := range map[string]bool{"준비까지": true, "2.5 µs": false, "vm, TCG (에뮬레이션)": true, "": false, "ㄱ": true} {
		if hangul(text) != want {
			t.Errorf("%q: %v", text, !want)
		}
	}
}
