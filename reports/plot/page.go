package plot

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"strings"
	"time"

	"lab/reports/msg"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Plots are as wide as the text of an A4 page, so that a handout shows their
// letters at their true size.
const (
	pageWidth  = 170 * vg.Millimeter
	pageMargin = 3 * vg.Millimeter
	dpi        = 220
	maxPixels  = 16_000 // of a bitmap's height
)

// A page is a drawing that grows downwards: y counts from its top, and how
// high it must be is known when it was drawn once. Everything is drawn with
// these few methods, so that PNG and SVG can't differ.
type page struct {
	c      draw.Canvas
	l      *msg.Language
	height vg.Length // 0 while it is only measured
	y      vg.Length // the cursor: how far down the page is used
}

// text styles, in points.
type style struct {
	size  vg.Length
	bold  bool
	color color.Color
}

var (
	titleText = style{11, true, black}
	bodyText  = style{8.5, false, black}
	boldText  = style{8.5, true, black}
	smallText = style{7.5, false, grey}
)

// text is how these words are set.
func (s style) text(x draw.XAlignment, words string) draw.TextStyle {
	f := font.From(plot.DefaultFont, s.size)
	f.Variant = "Sans"
	if hangul(words) {
		addHangul()
		f.Typeface, f.Variant = hangulName, ""
	}
	if s.bold {
		f.Weight = xfont.WeightBold
	}
	return draw.TextStyle{Color: s.color, Font: f, XAlign: x, YAlign: draw.YBottom, Handler: plot.DefaultTextHandler}
}

// width is how wide a text will be.
func (s style) width(text string) vg.Length { return s.text(draw.XLeft, text).Width(text) }

// line is the distance between two lines of text.
func (s style) line() vg.Length { return s.size * 1.25 }

// wrap breaks a text at spaces so that each line fits.
func (s style) wrap(text string, width vg.Length) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		next := strings.TrimSpace(line + " " + word)
		if line != "" && s.width(next) > width {
			lines = append(lines, line)
			next = word
		}
		line = next
	}
	return append(lines, line)
}

// fit shortens a text until it fits.
func (s style) fit(text string, width vg.Length) string {
	if s.width(text) <= width {
		return text
	}
	r := []rune(text)
	for len(r) > 0 && s.width(string(r)+"…") > width {
		r = r[:len(r)-1]
	}
	return strings.TrimSpace(string(r)) + "…"
}

// say is a message, or a text, in the language of the page.
func (p *page) say(t any) string { return p.l.Text(t) }

// fit writes a text, shortened until it fits.
func (p *page) fit(s style, align draw.XAlignment, x, y, width vg.Length, t any) {
	p.write(s, align, x, y, s.fit(p.say(t), width))
}

// at turns a point counted from the top left into the canvas's.
func (p *page) at(x, y vg.Length) vg.Point { return vg.Point{X: x, Y: p.height - y} }

// measuring reports whether nothing is to be drawn yet.
func (p *page) measuring() bool { return p.height == 0 }

// write puts text with the middle of its line at y, to the right of x (XLeft),
// around it, or to its left.
func (p *page) write(s style, align draw.XAlignment, x, y vg.Length, t any) {
	text := p.say(t)
	if p.measuring() || text == "" {
		return
	}
	// The middle of a line is that of its small letters, not of its box.
	st := s.text(align, text)
	p.c.FillText(st, p.at(x, y+s.size*0.36+st.FontExtents().Descent), text)
}

// paragraph writes wrapped text at the cursor and moves it below.
func (p *page) paragraph(s style, x, width vg.Length, t any) {
	for _, l := range s.wrap(p.say(t), width) {
		p.write(s, draw.XLeft, x, p.y+s.line()/2, l)
		p.y += s.line()
	}
}

func (p *page) line(x1, y1, x2, y2, width vg.Length, c color.Color) {
	if p.measuring() {
		return
	}
	p.c.StrokeLines(draw.LineStyle{Color: c, Width: width}, []vg.Point{p.at(x1, y1), p.at(x2, y2)})
}

func (p *page) fill(c color.Color, points ...vg.Point) {
	if p.measuring() {
		return
	}
	for i := range points {
		points[i] = p.at(points[i].X, points[i].Y)
	}
	p.c.FillPolygon(c, points)
}

// rect fills a rectangle given by its left, top, right and bottom.
func (p *page) rect(c color.Color, l, t, r, b vg.Length) {
	p.fill(c, vg.Point{X: l, Y: t}, vg.Point{X: r, Y: t}, vg.Point{X: r, Y: b}, vg.Point{X: l, Y: b})
}

// frame draws a rectangle's outline.
func (p *page) frame(c color.Color, width, l, t, r, b vg.Length) {
	p.line(l, t, r, t, width, c)
	p.line(l, b, r, b, width, c)
	p.line(l, t, l, b, width, c)
	p.line(r, t, r, b, width, c)
}

// hatch draws diagonal lines over a rectangle: the mark of software emulation.
func (p *page) hatch(c color.Color, l, t, r, b vg.Length) {
	const step = vg.Length(6)
	high := b - t
	for x := l - high; x < r; x += step {
		// From (x, b) up to (x+high, t), cut at both sides.
		x1, y1, x2, y2 := x, b, x+high, t
		if x1 < l {
			x1, y1 = l, b-(l-x)
		}
		if x2 > r {
			x2, y2 = r, b-(r-x)
		}
		if x2 > x1 {
			p.line(x1, y1, x2, y2, 0.6, c)
		}
	}
}

// dot draws a trial: filled, or hollow where it was disturbed.
func (p *page) dot(c color.Color, x, y, radius vg.Length, hollow bool) {
	if p.measuring() {
		return
	}
	if hollow {
		p.c.SetLineStyle(draw.LineStyle{Color: c, Width: 0.7})
		var ring vg.Path
		at := p.at(x, y)
		ring.Move(vg.Point{X: at.X + radius, Y: at.Y})
		ring.Arc(at, radius, 0, 2*math.Pi)
		ring.Close()
		p.c.Stroke(ring)
		return
	}
	p.c.DrawGlyphNoClip(draw.GlyphStyle{Color: c, Radius: radius, Shape: draw.CircleGlyph{}}, p.at(x, y))
}

// cross marks a warm-up trial.
func (p *page) cross(c color.Color, x, y, radius vg.Length) {
	p.line(x-radius, y-radius, x+radius, y+radius, 0.7, c)
	p.line(x-radius, y+radius, x+radius, y-radius, 0.7, c)
}

// diamond marks a median.
func (p *page) diamond(c color.Color, x, y, radius vg.Length) {
	p.fill(c, vg.Point{X: x - radius, Y: y}, vg.Point{X: x, Y: y - radius}, vg.Point{X: x + radius, Y: y}, vg.Point{X: x, Y: y + radius})
}

// measured is how high a page will be.
func measured(l *msg.Language, fill func(*page)) vg.Length {
	p := &page{l: l, y: pageMargin}
	fill(p)
	return p.y + pageMargin
}

// svg draws a page of a height as SVG.
func svg(height vg.Length, l *msg.Language, fill func(*page)) ([]byte, error) {
	vector := vgsvg.New(pageWidth, height)
	white := &page{c: draw.New(vector), l: l, height: height, y: pageMargin}
	white.rect(paper, 0, 0, pageWidth, height)
	fill(white)
	var b bytes.Buffer
	if _, err := vector.WriteTo(&b); err != nil {
		return nil, err
	}
	// Liberation Sans has Arial's widths: where it is missing, nothing moves.
	return withHangul(bytes.ReplaceAll(b.Bytes(), []byte("font-family:Liberation Sans;"),
		[]byte("font-family:'Liberation Sans',Arial,Helvetica,sans-serif;")))
}

// drawn draws a page: once to learn its height, then for good, as PNG, as SVG
// and as PDF. made is the PDF's date.
func drawn(name string, made time.Time, l *msg.Language, fill func(*page)) ([]File, error) {
	height := measured(l, fill)

	// Hundreds of rows make a page that no bitmap should have at full size.
	dots := max(20, min(dpi, int(maxPixels/height.Dots(1))))
	bitmap := vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(pageWidth, height), vgimg.UseDPI(dots))}
	fill(&page{c: draw.New(bitmap), l: l, height: height, y: pageMargin})
	var png bytes.Buffer
	if _, err := bitmap.WriteTo(&png); err != nil {
		return nil, fmt.Errorf("draw %s.png: %w", name, err)
	}
	text, err := svg(height, l, fill)
	if err != nil {
		return nil, fmt.Errorf("draw %s.svg: %w", name, err)
	}
	letters, err := pdf(name, made, l, fill)
	if err != nil {
		return nil, err
	}
	return []File{{"plots/" + name + ".png", png.Bytes()}, {"plots/" + name + ".svg", text}, letters}, nil
}

// A File is one of the files that a report consists of.
type File struct {
	Name string // within the results folder, "plots/ready.png"
	Data []byte
}

func rgb(hex uint32) color.RGBA {
	return color.RGBA{uint8(hex >> 16), uint8(hex >> 8), uint8(hex), 255}
}

// Colours that people tell apart whatever their colour vision: M. Okabe, K. Ito,
// Color universal design, 2008. Their order alternates between dark and light,
// so that neighbours differ in a grey print, too. Nothing is told by colour
// alone: rows and parts bear their names or numbers.
var (
	black = rgb(0x000000)
	grey  = rgb(0x555555)
	faint = rgb(0xd0d0d0)
	band  = rgb(0xf4f4f4)
	paper = rgb(0xffffff)

	palette = []color.RGBA{
		rgb(0x0072b2), // blue
		rgb(0xe69f00), // orange
		rgb(0x009e73), // bluish green
		rgb(0xf0e442), // yellow
		rgb(0xd55e00), // vermilion
		rgb(0x56b4e9), // sky blue
		rgb(0xcc79a7), // reddish purple
	}
	restColor = rgb(0xbbbbbb) // the part that no phase accounts for
)

// Paint is the i-th colour of parts that lie side by side; from the eighth on
// they come again darker, and then lighter.
func Paint(i int) color.RGBA {
	c := palette[i%len(palette)]
	switch i / len(palette) {
	case 0:
	case 1:
		c.R, c.G, c.B = c.R/2, c.G/2, c.B/2
	default:
		c.R, c.G, c.B = c.R/2+127, c.G/2+127, c.B/2+127
	}
	return c
}

// RowColor is the i-th environment's: small dots need the palette's darker half, and two
// more of that kind, Tol's wine (P. Tol, Colour schemes, SRON 2021) and a dark olive, so that
// what most runs have is told apart: from the eighth on they come again, with another mark.
func RowColor(i int) color.RGBA {
	dark := []color.RGBA{palette[0], palette[4], palette[2], rgb(0x444444), palette[6], rgb(0x882255), rgb(0x777700)}
	return dark[i%len(dark)]
}

// seeThrough lets points show how many lie on one another.
func seeThrough(c color.RGBA) color.Color { return color.NRGBA{c.R, c.G, c.B, 150} }

// ink is black or white, whichever is easier to read on c (its luma by
// ITU-R BT.601).
func ink(c color.RGBA) color.RGBA {
	if 299*int(c.R)+587*int(c.G)+114*int(c.B) < 128_000 {
		return paper
	}
	return black
}
