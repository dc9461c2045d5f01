package plot

import (
	"image/color"
	"math"
	"testing"
)

// Seven environments have seven colours, and dots of each are seen on white (WCAG 2.1,
// 1.4.11: a contrast of 3).
func TestRowColors(t *testing.T) {
	linear := func(c uint8) float64 {
		if x := float64(c) / 255; x > 0.04045 {
			return math.Pow((x+0.055)/1.055, 2.4)
		}
		return float64(c) / 255 / 12.92
	}
	seen := map[color.RGBA]int{}
	for i := range 7 {
		c := RowColor(i)
		if was, ok := seen[c]; ok {
			t.Errorf("%d and %d have one colour", was, i)
		}
		seen[c] = i
		if l := 0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B); 1.05/(l+0.05) < 3 {
			t.Errorf("%d: a contrast of %.2f with white", i, 1.05/(l+0.05))
		}
	}
	if RowColor(7) != RowColor(0) {
		t.Error("the eighth isn't the first again")
	}
}
