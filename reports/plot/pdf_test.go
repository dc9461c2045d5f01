package plot

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"lab/reports/msg"

	"gonum.org/v1/plot/vg"
)

// A plot's PDF has the letters that it uses embedded, whichever alphabet they
// are of, and is small.
func TestPDF(t *testing.T) {
	made := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	f, err := pdf("x", made, msg.English(), func(p *page) {
		p.paragraph(titleText, 0, pageWidth, "−3 µs → ≥ 2 Привет")
		p.paragraph(bodyText, 0, pageWidth, "thin")
		p.hatch(grey, 10, 30, 60, 50)
		p.dot(black, 20, 20, 3, true)
		p.dot(seeThrough(palette[0]), 30, 20, 3, false)
	})
	if err != nil {
		t.Fatal(err)
	}
	if f.Name != "plots/x.pdf" || !bytes.HasPrefix(f.Data, []byte("%PDF-1.")) || !bytes.HasSuffix(bytes.TrimSpace(f.Data), []byte("%%EOF")) {
		t.Errorf("%s: %.20q …", f.Name, f.Data)
	}
	for _, want := range []string{"/CIDFontType2", "/FontFile2", "liberationsans-bold", "liberationsans-regular", "D:20260102030405", "/MediaBox [0 0 481.89"} {
		if !bytes.Contains(f.Data, []byte(want)) {
			t.Errorf("no %s", want)
		}
	}
	if len(f.Data) > 100_000 {
		t.Errorf("%d bytes: are whole fonts embedded?", len(f.Data))
	}
	// Without a date there is none of today's.
	f, err = pdf("x", time.Time{}, msg.English(), func(p *page) { p.y += 10 })
	if err != nil || !bytes.Contains(f.Data, []byte("D:19700101")) {
		t.Error("a run without a date", err)
	}
}

// An arc's curves stay on the circle.
func TestPDFArc(t *testing.T) {
	c := newPDF(100, 100, time.Time{})
	c.doc.SetCompression(false)
	var ring vg.Path
	ring.Move(vg.Point{X: 60, Y: 50})
	ring.Arc(vg.Point{X: 50, Y: 50}, 10, 0, 2*math.Pi)
	ring.Close()
	c.SetColor(black)
	c.Stroke(ring)
	var b bytes.Buffer
	if err := c.doc.Output(&b); err != nil {
		t.Fatal(err)
	}
	curves := 0
	for line := range strings.Lines(b.String()) {
		n, ok := numbers(line, " c")
		if !ok || len(n) != 6 {
			continue
		}
		curves++
		if r := math.Hypot(n[4]-50, n[5]-50); math.Abs(r-10) > 0.01 {
			t.Errorf("a curve ends %v from the middle: %s", r, line)
		}
	}
	if curves != 8 {
		t.Errorf("%d curves in\n%s", curves, b.String())
	}
}

// numbers reads a line of a PDF's page that ends in an operator.
func numbers(line, operator string) (out []float64, ok bool) {
	line, ok = strings.CutSuffix(strings.TrimSpace(line), operator)
	for _, w := range strings.Fields(line) {
		v, err := strconv.ParseFloat(w, 64)
		if err != nil {
			return nil, false
		}
		out = append(out, v)
	}
	return out, ok
}
