package plot

import (
	"fmt"
	"strings"
	"time"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"lab/bench/stats"
	"lab/reports/analysis"
	"lab/reports/msg"
)

// A machineForest draws a panel for each group of rows that can be set side by side,
// and in it a line for each run: its figure with its interval; below them the
// middle machine, and from the least to the largest. Panels of one
// environment have the same axis; each environment has its own, as one for a
// process and a guest alike would leave no room to see machines differ.
type machineForest struct {
	m       *analysis.Machines
	title   string
	caption string
	unit    string
	figure  analysis.MachineFigure
	ratio   bool // of the baseline: 1 is marked, and emulated groups are left out
	used    struct{ interval, few, spread, tcg bool }
}

const (
	machineRow   = vg.Length(15)
	machineLabel = 48 * vg.Millimeter
	machineText  = 40 * vg.Millimeter
)

// MachinePlots draws each metric, and the headline one's ratio to the baseline.
func MachinePlots(m *analysis.Machines) ([]File, error) {
	var out []File
	add := func(name string, f *machineForest) error {
		if !f.any() || !safeName.MatchString(name) {
			return nil
		}
		files, err := drawn(name, latest(m), f.draw)
		out = append(out, files...)
		return err
	}
	for i, x := range m.Metrics {
		f := &machineForest{m: m, title: x.Title + ", machine by machine", unit: x.Unit, figure: analysis.MedianOf(x.Name),
			caption: "Each line is one run: the median of its trials. Each environment has its own axis."}
		if err := add("machines-"+x.Name, f); err != nil {
			return nil, err
		}
		if i > 0 {
			continue
		}
		f = &machineForest{m: m, title: x.Title + " by " + m.BaseName() + "'s, machine by machine", unit: "1", figure: analysis.RatioOf(x.Name), ratio: true,
			caption: "Each line is one run: the ratio of two medians of the same machine. 1 is as long as " + m.BaseName() + " takes."}
		if err := add("machines-"+x.Name+"-ratio", f); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// latest is when the last of the runs began.
func latest(m *analysis.Machines) (t time.Time) {
	for _, k := range m.Machines {
		for _, a := range k.Runs {
			if s := a.Run.Manifest.Started; s.After(t) {
				t = s
			}
		}
	}
	return t
}

// shows are the entries of a group that have a figure.
func (f *machineForest) shows(g *analysis.MachineGroup) []analysis.MachineEntry {
	if f.ratio && g.TCG {
		return nil
	}
	var out []analysis.MachineEntry
	for _, e := range g.Entries {
		if iv, ok := f.figure(e); ok && (axis{}).shows(iv.Point) {
			out = append(out, e)
		}
	}
	return out
}

func (f *machineForest) any() bool {
	for _, g := range f.m.Groups {
		if len(f.shows(g)) > 0 {
			return true
		}
	}
	return false
}

func (f *machineForest) draw(p *page) {
	p.heading(f.title, f.caption)
	for _, g := range f.m.Groups {
		if entries := f.shows(g); len(entries) > 0 {
			f.panel(p, g, entries)
		}
	}
	p.y += 4
	f.key(p)
	f.footer(p)
}

func (f *machineForest) panel(p *page, g *analysis.MachineGroup, entries []analysis.MachineEntry) {
	left, right := pageMargin, pageWidth-pageMargin
	x := f.axis(g)
	x.left, x.right = left+machineLabel, right-machineText
	p.y += 6
	p.paragraph(boldText, left+2, right-left, g.Title())
	p.y += 2
	rows := len(entries)
	s, spread := g.Spread(f.figure)
	if spread {
		rows++
	}
	top := p.y
	bottom := top + machineRow*vg.Length(rows)
	for i := 0; i < rows; i += 2 {
		y := top + machineRow*vg.Length(i)
		p.rect(band, left, y, right, y+machineRow)
	}
	if g.TCG {
		p.hatch(faint, x.left, top, x.right, bottom)
		f.used.tcg = true
	}
	(&distribution{}).ticks(p, x, top, bottom)
	if f.ratio {
		p.line(x.x(1), top, x.x(1), bottom, 1, grey)
	}
	last := ""
	for i, e := range entries {
		y := top + machineRow*(vg.Length(i)+0.5)
		if e.Machine.Name != last {
			p.write(boldText, draw.XLeft, left+2, y, e.Machine.Name)
		}
		last = e.Machine.Name
		at := left + 2 + boldText.width("machine 00 ")
		p.write(smallText, draw.XLeft, at, y, smallText.fit(analysis.ShortDir(e.Run.Run.Dir), x.left-at-4))
		iv, _ := f.figure(e)
		f.mark(p, x, iv, y)
		p.write(smallText, draw.XLeft, x.right+6, y, smallText.fit(f.words(iv), machineText-8))
	}
	if spread {
		y := top + machineRow*(vg.Length(rows)-0.5)
		p.write(boldText, draw.XLeft, left+2, y, "middle of "+msg.Plural(s.Machines, "machine"))
		p.line(x.x(s.Least), y, x.x(s.Largest), y, 0.8, black)
		for _, v := range []float64{s.Least, s.Largest} {
			p.line(x.x(v), y-3.5, x.x(v), y+3.5, 0.8, black)
		}
		p.diamond(black, x.x(s.Middle), y, 3.4)
		f.used.spread = true
		u := msg.ScaleFor(s.Middle, f.unit)
		middle := u.With(s.Middle)
		if f.ratio {
			middle = msg.Times(s.Middle)
		}
		text := middle + "; " + u.Join(u.Span(s.Least, s.Largest))
		p.write(smallText, draw.XLeft, x.right+6, y, smallText.fit(text, machineText-8))
	}
	p.y = bottom + 16
	if note := x.note(); note != "" {
		p.write(smallText, draw.XLeft, x.left, p.y+4, note)
		p.y += 10
	}
}

// axis covers all groups of one label, and zero: figures and machines are
// compared by eye.
func (f *machineForest) axis(g *analysis.MachineGroup) axis {
	values := []float64{0}
	if f.ratio {
		values = append(values, 1)
	}
	for _, o := range f.m.Groups {
		if o.Label != g.Label {
			continue
		}
		for _, e := range f.shows(o) {
			iv, _ := f.figure(e)
			values = append(values, iv.Point, iv.Lo, iv.Hi)
		}
	}
	return newAxis(values, false, f.unit)
}

// mark draws a run's figure.
func (f *machineForest) mark(p *page, x axis, iv stats.Interval, y vg.Length) {
	c, width := palette[0], vg.Length(1.8)
	if f.used.interval = f.used.interval || iv.Known(); !iv.Known() {
		c, width = rgb(0x999999), 0.8
		f.used.few = true
	}
	if x.shows(iv.Lo) && x.shows(iv.Hi) {
		p.line(x.x(iv.Lo), y, x.x(iv.Hi), y, width, c)
	}
	p.dot(c, x.x(iv.Point), y, 2.4, false)
}

func (f *machineForest) words(iv stats.Interval) string {
	u := msg.ScaleFor(iv.Point, f.unit)
	if f.ratio {
		return msg.Times(iv.Point) + "; " + analysis.SpanOf(iv, u)
	}
	return u.With(iv.Point) + "; " + analysis.SpanOf(iv, u)
}

// key explains the marks that were used.
func (f *machineForest) key(p *page) {
	k := newKey(p, 8)
	if f.used.interval {
		text := "a run, with its 95 % interval"
		if f.ratio {
			text = "a run, with its interval: 95 % for all of its rows together"
		}
		k.entry(text, func(x, y vg.Length) {
			p.line(x-7, y, x+7, y, 1.8, palette[0])
			p.dot(palette[0], x, y, 2.4, false)
		})
	}
	if f.used.few {
		k.entry("a run of too few trials for one, with its range", func(x, y vg.Length) {
			p.line(x-7, y, x+7, y, 0.8, rgb(0x999999))
			p.dot(rgb(0x999999), x, y, 2.4, false)
		})
	}
	if f.used.spread {
		k.entry("the middle machine; the least to the largest", func(x, y vg.Length) {
			p.line(x-7, y, x+7, y, 0.8, black)
			p.line(x-7, y-3.5, x-7, y+3.5, 0.8, black)
			p.line(x+7, y-3.5, x+7, y+3.5, 0.8, black)
			p.diamond(black, x, y, 3.4)
		})
	}
	k.end()
	if f.used.tcg {
		hatchKey(p, analysis.TCGStart)
	}
}

// footer says where the picture comes from.
func (f *machineForest) footer(p *page) {
	labs := map[string]bool{}
	var parts []string
	for _, k := range f.m.Machines {
		for _, a := range k.Runs {
			if v := msg.OneLine(a.Run.Manifest.Lab); v != "" && !labs[v] {
				labs[v] = true
				parts = append(parts, v)
			}
		}
	}
	st := smallText
	st.size = 6.5
	p.y += 2
	p.paragraph(st, pageMargin, pageWidth-2*pageMargin,
		fmt.Sprintf("scenario %s, %s, lab %s", msg.OneLine(f.m.Scenario), msg.Plural(len(f.m.Machines), "machine"), strings.Join(parts, ", ")))
}
