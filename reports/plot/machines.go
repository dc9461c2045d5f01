package plot

import (
	"image/color"
	"maps"
	"slices"
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
	title   msg.Message
	caption msg.Message
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

// Machines draws each metric, and the headline one's ratio to the baseline.
func Machines(m *analysis.Machines, l *msg.Language) ([]File, error) {
	var out []File
	for i, x := range m.Metrics {
		forests := map[string]*machineForest{"": {m: m, title: msg.T("machines.plot", x.Title), caption: msg.T("machines.plot-how"), unit: x.Unit, figure: analysis.MedianOf(x.Name)}}
		if i == 0 {
			forests["-ratio"] = &machineForest{m: m, title: msg.T("machines.ratio-plot", x.Title, m.BaseName()),
				caption: msg.T("machines.ratio-plot-how", m.BaseName()), unit: "1", figure: analysis.RatioOf(x.Name), ratio: true}
		}
		for _, end := range slices.Sorted(maps.Keys(forests)) {
			name, f := "machines-"+x.Name+end, forests[end]
			if !f.any() || !safeName.MatchString(name) {
				continue
			}
			files, err := drawn(name, latest(m), l, f.draw)
			if err != nil {
				return nil, err
			}
			out = append(out, files...)
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
	if len(entries) > analysis.Many {
		f.dense(p, g)
		return
	}
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
	top, bottom := p.rows(x, machineRow, rows, g.TCG)
	f.used.tcg = f.used.tcg || g.TCG
	if f.ratio {
		p.line(x.x(1), top, x.x(1), bottom, 1, grey)
	}
	var last *analysis.Machine
	for i, e := range entries {
		y := top + machineRow*(vg.Length(i)+0.5)
		if e.Machine != last {
			p.fit(boldText, draw.XLeft, left+2, y, x.left-left-6, e.Machine.Name)
		}
		last = e.Machine
		if !e.Machine.Named {
			at := left + 2 + boldText.width(p.say(msg.T("machine.n", "00 ")))
			p.fit(smallText, draw.XLeft, at, y, x.left-at-4, analysis.ShortDir(e.Run.Run.Dir))
		}
		iv, _ := f.figure(e)
		f.mark(p, x, iv, y)
		p.fit(smallText, draw.XLeft, x.right+6, y, machineText-8, f.words(iv))
	}
	if spread {
		f.spreadLine(p, x, s, top+machineRow*(vg.Length(rows)-0.5))
	}
	p.below(x, bottom, x.note())
}

// Of many machines a panel has so many lines.
const (
	denseRows = 180
	denseRow  = vg.Length(1.4)
)

// dense draws a group of many machines: evenly picked ones from the least to the largest,
// without names.
func (f *machineForest) dense(p *page, g *analysis.MachineGroup) {
	left, right := pageMargin, pageWidth-pageMargin
	var all []analysis.MachineEntry
	for _, e := range g.Sorted(f.figure) {
		if iv, _ := f.figure(e); (axis{}).shows(iv.Point) {
			all = append(all, e)
		}
	}
	x := f.axis(g)
	x.left, x.right = left+machineLabel, right-machineText
	p.y += 6
	p.paragraph(boldText, left+2, right-left, g.Title())
	p.paragraph(smallText, left+2, right-left, msg.T("machines.dense", denseRows, len(all)))
	p.y += 2
	top := p.y
	bottom := top + denseRow*denseRows
	if g.TCG {
		p.hatch(faint, x.left, top, x.right, bottom)
		f.used.tcg = true
	}
	spreadRow := bottom + machineRow
	p.grid(x, top, spreadRow, bodyText, pageWidth)
	if f.ratio {
		p.line(x.x(1), top, x.x(1), spreadRow, 1, grey)
	}
	for i := range denseRows {
		iv, _ := f.figure(all[i*(len(all)-1)/(denseRows-1)])
		y := top + denseRow*(vg.Length(i)+0.5)
		c := palette[0]
		if f.used.interval = f.used.interval || iv.Known(); !iv.Known() {
			c, f.used.few = rgb(0x999999), true
		}
		if x.shows(iv.Lo) && x.shows(iv.Hi) {
			p.line(x.x(iv.Lo), y, x.x(iv.Hi), y, 0.6, c)
		}
		p.dot(c, x.x(iv.Point), y, 0.9, false)
	}
	if s, ok := g.Spread(f.figure); ok {
		f.spreadLine(p, x, s, bottom+machineRow/2)
	}
	p.below(x, spreadRow, x.note())
}

// spreadLine draws how far a group's machines lie apart, with words on either side.
func (f *machineForest) spreadLine(p *page, x axis, s analysis.Spread, y vg.Length) {
	p.write(boldText, draw.XLeft, pageMargin+2, y, msg.T("machines.middle", msg.T("machines", s.Machines)))
	p.spread(x.x(s.Least), x.x(s.Middle), x.x(s.Largest), y)
	f.used.spread = true
	u := msg.ScaleFor(s.Middle, f.unit)
	middle := u.With(s.Middle)
	if f.ratio {
		middle = msg.Times(s.Middle)
	}
	p.fit(smallText, draw.XLeft, x.right+6, y, machineText-8, msg.T("join.semicolon", middle, u.Join(u.Span(s.Least, s.Largest))))
}

// axis covers all groups of one label, and zero: figures and machines are
// compared by eye.
func (f *machineForest) axis(g *analysis.MachineGroup) axis {
	values := []float64{0}
	if f.ratio {
		values = append(values, 1)
	}
	for _, o := range f.m.Groups {
		if !o.SameRow(g) {
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

func (f *machineForest) words(iv stats.Interval) msg.Message {
	u := msg.ScaleFor(iv.Point, f.unit)
	middle := u.With(iv.Point)
	if f.ratio {
		middle = msg.Times(iv.Point)
	}
	return msg.T("join.semicolon", middle, analysis.SpanOf(iv, u))
}

// spread draws how far machines lie apart, and the middle one.
func (p *page) spread(least, middle, largest, y vg.Length) {
	p.line(least, y, largest, y, 0.8, black)
	for _, x := range []vg.Length{least, largest} {
		p.line(x, y-3.5, x, y+3.5, 0.8, black)
	}
	p.diamond(black, middle, y, 3.4)
}

// runMark is a run's mark, as a key has it.
func (p *page) runMark(c color.Color, width vg.Length) func(x, y vg.Length) {
	return func(x, y vg.Length) {
		p.line(x-7, y, x+7, y, width, c)
		p.dot(c, x, y, 2.4, false)
	}
}

// key explains the marks that were used.
func (f *machineForest) key(p *page) {
	k := newKey(p, 8)
	if f.used.interval {
		text := msg.T("key.run")
		if f.ratio {
			text = msg.T("key.run-joint")
		}
		k.entry(text, p.runMark(palette[0], 1.8))
	}
	if f.used.few {
		k.entry(msg.T("key.run-range"), p.runMark(rgb(0x999999), 0.8))
	}
	if f.used.spread {
		k.entry(msg.T("key.machines"), func(x, y vg.Length) { p.spread(x-7, x, x+7, y) })
	}
	k.end()
	if f.used.tcg {
		hatchKey(p, analysis.TCGStart)
	}
}

// footer says where the picture comes from.
func (f *machineForest) footer(p *page) {
	var labs []msg.Message
	seen := map[string]bool{}
	for _, k := range f.m.Machines {
		for _, a := range k.Runs {
			if v := msg.OneLine(a.Run.Manifest.Lab); v != "" && !seen[v] {
				seen[v] = true
				labs = append(labs, msg.Verbatim(v))
			}
		}
	}
	p.footer(msg.Join("join.comma", msg.T("footer.scenario", msg.Name(msg.OneLine(f.m.Scenario))), msg.T("machines", len(f.m.Machines)), msg.T("footer.lab", msg.Join("join.comma", labs...))))
}
