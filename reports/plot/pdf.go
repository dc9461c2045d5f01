package plot

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"math"
	"sync"
	"time"

	"lab/reports/msg"

	"codeberg.org/go-pdf/fpdf"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// pdf draws a page as PDF for LaTeX, with the letters that it uses embedded.
//
// It isn't gonum's vgpdf that does it: that embeds all of a font (200 KB a
// plot), knows the 220 letters of one code page, and of two fonts in a document
// gives the second one the first one's letters (plot v0.17.0).
func pdf(name string, made time.Time, l *msg.Language, fill func(*page)) (File, error) {
	height := measured(l, fill)
	c := newPDF(pageWidth, height, made)
	fill(&page{c: draw.New(c), l: l, height: height, y: pageMargin})
	var b bytes.Buffer
	if err := c.doc.Output(&b); err != nil {
		return File{}, fmt.Errorf("draw %s.pdf: %w", name, err)
	}
	return File{"plots/" + name + ".pdf", b.Bytes()}, nil
}

// A pdfCanvas is what plots need of vg.Canvas: paths and text. They are never
// turned or scaled.
type pdfCanvas struct {
	doc   *fpdf.Fpdf
	w, h  vg.Length
	fonts map[string]bool
	pdfState
	stack []pdfState
}

// A pdfState is what Push keeps and Pop brings back.
type pdfState struct {
	color  color.NRGBA
	origin vg.Point
	turned bool // since the Push
}

// pdfDefaults guards fpdf's, which are the whole program's.
var pdfDefaults sync.Mutex

// newPDF makes a canvas whose bytes depend on nothing but what is drawn: its
// date is the run's, and its parts have an order.
func newPDF(w, h vg.Length, made time.Time) *pdfCanvas {
	if made.IsZero() { // which fpdf takes for now
		made = time.Unix(0, 0)
	}
	pdfDefaults.Lock()
	defer pdfDefaults.Unlock()
	fpdf.SetDefaultCatalogSort(true)
	fpdf.SetDefaultCreationDate(made.UTC())
	fpdf.SetDefaultModificationDate(made.UTC())
	c := &pdfCanvas{w: w, h: h, fonts: map[string]bool{}, pdfState: pdfState{color: color.NRGBA{A: 255}}}
	c.doc = fpdf.NewCustom(&fpdf.InitType{UnitStr: "pt", Size: fpdf.SizeType{Wd: w.Points(), Ht: h.Points()}})
	c.doc.SetMargins(0, 0, 0)
	c.doc.SetAutoPageBreak(false, 0)
	c.doc.AddPage()
	c.doc.SetLineCapStyle("butt")
	return c
}

func (c *pdfCanvas) Size() (w, h vg.Length) { return c.w, c.h }

// at turns a point counted from the bottom left into PDF's own of fpdf.
func (c *pdfCanvas) at(p vg.Point) (x, y float64) {
	return (p.X + c.origin.X).Points(), (c.h - p.Y - c.origin.Y).Points()
}

func (c *pdfCanvas) SetLineWidth(w vg.Length) { c.doc.SetLineWidth(w.Points()) }

func (c *pdfCanvas) SetLineDash(pattern []vg.Length, offset vg.Length) {
	var ds []float64
	for _, d := range pattern {
		ds = append(ds, d.Points())
	}
	c.doc.SetDashPattern(ds, offset.Points())
}

func (c *pdfCanvas) SetColor(x color.Color) {
	if x == nil {
		x = color.Black
	}
	c.color = color.NRGBAModel.Convert(x).(color.NRGBA)
	r, g, b := int(c.color.R), int(c.color.G), int(c.color.B)
	c.doc.SetFillColor(r, g, b)
	c.doc.SetDrawColor(r, g, b)
	c.doc.SetTextColor(r, g, b)
	c.doc.SetAlpha(float64(c.color.A)/255, "Normal")
}

// Rotate turns what follows, until Pop, around the origin.
func (c *pdfCanvas) Rotate(angle float64) {
	c.doc.TransformBegin()
	x, y := c.at(vg.Point{})
	c.doc.TransformRotate(angle*180/math.Pi, x, y)
	c.turned = true
}
func (c *pdfCanvas) Scale(float64, float64) { panic("reports: plots aren't scaled") }
func (c *pdfCanvas) Translate(p vg.Point) {
	c.origin.X, c.origin.Y = c.origin.X+p.X, c.origin.Y+p.Y
}
func (c *pdfCanvas) DrawImage(vg.Rectangle, image.Image) {
	panic("reports: plots have no pictures in them")
}

func (c *pdfCanvas) Push() {
	c.stack = append(c.stack, c.pdfState)
	c.turned = false
}

func (c *pdfCanvas) Pop() {
	last := len(c.stack) - 1
	if c.turned {
		c.doc.TransformEnd()
	}
	c.pdfState, c.stack = c.stack[last], c.stack[:last]
	c.SetColor(c.color)
}

func (c *pdfCanvas) Stroke(p vg.Path) { c.path(p, "D") }
func (c *pdfCanvas) Fill(p vg.Path)   { c.path(p, "F") }

func (c *pdfCanvas) path(p vg.Path, how string) {
	for _, x := range p {
		switch x.Type {
		case vg.MoveComp:
			c.doc.MoveTo(c.at(x.Pos))
		case vg.LineComp:
			c.doc.LineTo(c.at(x.Pos))
		case vg.ArcComp:
			c.arc(x)
		case vg.CloseComp:
			c.doc.ClosePath()
		default:
			panic("reports: plots have no curves but arcs")
		}
	}
	c.doc.DrawPath(how)
}

// arc draws an arc as cubic curves, each of an eighth of a circle at most: the
// error is below 10⁻⁵ of the radius (L. Maisonobe, Drawing an elliptical arc
// using polylines, quadratic or cubic Bézier curves, 2003).
func (c *pdfCanvas) arc(a vg.PathComp) {
	n := max(1, int(math.Ceil(math.Abs(a.Angle)/(math.Pi/4))))
	step := a.Angle / float64(n)
	reach := 4.0 / 3 * math.Tan(step/4)
	on := func(angle float64) (at, tangent vg.Point) {
		cos, sin := vg.Length(math.Cos(angle)), vg.Length(math.Sin(angle))
		return vg.Point{X: a.Pos.X + a.Radius*cos, Y: a.Pos.Y + a.Radius*sin}, vg.Point{X: -a.Radius * sin * vg.Length(reach), Y: a.Radius * cos * vg.Length(reach)}
	}
	from, lead := on(a.Start)
	c.doc.LineTo(c.at(from))
	for i := range n {
		to, tail := on(a.Start + step*float64(i+1))
		x1, y1 := c.at(vg.Point{X: from.X + lead.X, Y: from.Y + lead.Y})
		x2, y2 := c.at(vg.Point{X: to.X - tail.X, Y: to.Y - tail.Y})
		x, y := c.at(to)
		c.doc.CurveBezierCubicTo(x1, y1, x2, y2, x, y)
		from, lead = to, tail
	}
}

// FillString writes a text with its base line at a point.
func (c *pdfCanvas) FillString(f font.Face, at vg.Point, text string) {
	name := f.Name()
	if !c.fonts[name] {
		var ttf bytes.Buffer
		if _, err := f.Face.WriteSourceTo(nil, &ttf); err != nil {
			c.doc.SetError(fmt.Errorf("font %s: %w", name, err))
			return
		}
		c.doc.AddUTF8FontFromBytes(name, "", ttf.Bytes())
		c.fonts[name] = true
	}
	c.doc.SetFont(name, "", f.Font.Size.Points())
	x, y := c.at(at)
	c.doc.Text(x, y, text)
}
