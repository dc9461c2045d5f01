package plot

import (
	"image/color"

	"gonum.org/v1/plot/vg"

	"lab/reports/analysis"
)

// middle draws a diamond for a median, and a hollow one for each of two groups'.
// place finds its point, and whether the axis shows it.
func (p *page) middle(c color.Color, s *analysis.Sample, radius vg.Length, place func(v float64) (x, y vg.Length, ok bool)) {
	for _, v := range s.Middles() {
		if x, y, ok := place(v); ok {
			p.diamond(c, x, y, radius)
			if s.Grouped() {
				p.diamond(paper, x, y, radius*0.55)
			}
		}
	}
}

// groupKey explains the hollow diamond.
func (k *key) groupKey(radius vg.Length) {
	k.entry("one of two groups' median", func(x, y vg.Length) {
		k.p.diamond(black, x, y, radius)
		k.p.diamond(paper, x, y, radius*0.55)
	})
}
