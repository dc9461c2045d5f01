package reports

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"lab/bench/stats"
)

// here ends every conclusion that stands alone; where several stand together it is
// said once, at their head.
const here = "on this machine"

// capital and lower change the first letter alone, capital also behind a quotation
// mark; lower leaves abbreviations
// such as KVM as they are.
func capital(s string) string {
	head := len(s) - len(strings.TrimLeft(s, "“\"'("))
	r, n := utf8.DecodeRuneInString(s[head:])
	if n == 0 || r == utf8.RuneError {
		return s
	}
	return s[:head] + string(unicode.ToUpper(r)) + s[head+n:]
}

// Capital writes a text as the beginning of a sentence, whatever it begins with.
func Capital(s string) string { return capital(s) }

func lower(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if next, _ := utf8.DecodeRuneInString(s[n:]); n == 0 || unicode.IsUpper(next) {
		return s
	}
	return string(unicode.ToLower(r)) + s[n:]
}

// ends writes an interval's two ends and what they are. The ends aren't rounded to
// marks, which they are held against.
func ends(iv stats.Interval, s scale, marks ...float64) string {
	text := s.join(s.span(iv.Lo, iv.Hi, marks...))
	if !iv.Known() {
		return fmt.Sprintf("range %s, too few for an interval", text)
	}
	confidence := 0.95
	if iv.Method == stats.Ranks { // made for more, where it is one of a family
		confidence = iv.Confidence
	}
	return intervalName(confidence) + " " + text
}

// intervalName is what an interval is called by what it was made for: what its
// order statistics attain may be a little more.
func intervalName(confidence float64) string {
	return strconv.FormatFloat(confidence*100, 'g', 3, 64) + " % interval"
}

// cantTell says that no outcome would have been a verdict, and what it takes.
func cantTell(iv stats.Interval) string {
	return fmt.Sprintf("%s can't tell: %d would", plural(iv.N, "trial"), iv.Needs)
}

// notRun says why a cell has no trial, and what helps.
func notRun(c *cell) string {
	s := "not run: " + c.NotRun.Reason
	if c.NotRun.Cure != "" {
		s += "; fix: " + c.NotRun.Cure
	}
	return s
}

// becauseTCG says why the run's guests were emulated, from "because" on.
func (a *analysis) becauseTCG() string {
	reason := a.run.Machine.Acceleration.Brief()
	switch {
	case a.run.Manifest.Accel == "tcg":
		return "because --accel tcg asked for it"
	case reason == "":
		return "for a reason that wasn't recorded"
	}
	return "because " + lower(reason)
}

// tcgStart is what an emulated guest shows of a start.
const tcgStart = "what a VM start consists of"

// tcgShows is what an emulated guest is good for.
func (a *analysis) tcgShows() string {
	for _, f := range a.run.Manifest.Figures {
		if f.Kind == kindPhases {
			return tcgStart
		}
	}
	if len(a.run.Manifest.Figures) == 0 {
		return tcgStart
	}
	return "what emulation costs"
}

// banners are what stands on top of every report of the run, most important
// first.
func (a *analysis) banners() []string { return a.bannersOf(a.cells) }

// bannersOf are those that rows of the run need.
func (a *analysis) bannersOf(rows []*cell) []string {
	var out []string
	m := a.run.Manifest
	if changed := a.run.Changed; changed != nil {
		out = append(out, "Changed after the run: "+strings.Join(changed, ", ")+". What follows is of the changed data.")
	}
	switch m.Outcome {
	case "interrupted":
		out = append(out, fmt.Sprintf("This run was interrupted: it has %d of %d planned trials. What was measured until then is shown.", a.done(), a.planned()))
	case "nothing":
		out = append(out, "Nothing could be run. Each row says why, and what helps.")
	case "":
		out = append(out, fmt.Sprintf("This run has no end: it is still going on, or was killed. It has %d of %d planned trials.", a.done(), a.planned()))
	}
	if a.run.Machine.Emulated {
		out = append(out, "The machine that this ran on was itself emulated in software (QEMU's TCG). That everything works can be seen here, and not how fast anything is.")
	}
	if slices.ContainsFunc(rows, func(c *cell) bool { return c.tcg }) {
		out = append(out, "This VM was emulated in software (TCG) "+a.becauseTCG()+". It shows "+a.tcgShows()+", not how fast VMs are.")
	}
	if m.Quick {
		out = append(out, "A quick first look (--quick): too few trials to quote.")
	}
	return out
}

func (a *analysis) planned() int {
	n := 0
	for _, c := range a.run.Manifest.Cells {
		if c.NotRun == nil {
			n += c.Trials
		}
	}
	if x := a.run.Manifest.Asked; x != nil && x.Sessions > 1 {
		n *= x.Sessions
	}
	return n
}

func (a *analysis) done() int {
	n := 0
	for _, c := range a.cells {
		n += c.counted() + c.failures()
	}
	return n
}

// sentences are what the run shows about its headline metric, one for each
// cell that has values.
func (a *analysis) sentences() []string {
	if len(a.metrics) == 0 {
		return []string{"Nothing was measured."}
	}
	m := a.metrics[0]
	var out []string
	for _, c := range a.cells {
		x := c.samples[m.Name]
		if x == nil {
			continue
		}
		s := scaleFor(x.median.Point, m.Unit)
		text := fmt.Sprintf("**%s**: %s %s (%s, %s)", escape(c.label), escape(lower(m.Title)), s.with(x.median.Point),
			ends(x.median, s), plural(len(x.values), "trial"))
		if x.grouped() {
			text = fmt.Sprintf("**%s**: %s %s; their common median, %s (%s), describes neither", escape(c.label), escape(lower(m.Title)),
				x.inGroups(m.Unit), s.with(x.median.Point), ends(x.median, s))
		}
		switch {
		case c.tcg:
			text += escape(a.consists(c, m.Name))
		case x.against != nil:
			text += ", " + escape(against(c, x.against, m.Unit))
			if n := groupsNote(m.Name, c.base, c); n != "" {
				text += " (of medians: " + escape(n) + ")"
			}
		}
		out = append(out, text+".")
	}
	return out
}

// against says how a cell lies to its baseline: first what is added, then the
// ratio.
func against(c *cell, k *stats.Comparison, unit string) string {
	d := k.Difference
	s := scaleFor(widest(d), unit)
	if !d.Known() {
		return fmt.Sprintf("whether it differs from %s %s", c.base.label, cantTell(d))
	}
	if !k.Differs() {
		return fmt.Sprintf("no difference from %s was found (%s)", c.base.label, ends(d, s))
	}
	word := "more"
	if d.Point < 0 {
		word = "less"
		d.Point, d.Lo, d.Hi = -d.Point, -d.Hi, -d.Lo
	}
	text := fmt.Sprintf("%s %s than %s (%s)", s.with(d.Point), word, c.base.label, ends(d, s))
	if k.Ratio == nil {
		return text
	}
	if unit == "s" {
		return text + fmt.Sprintf(": it takes %s the time (%s)", times(k.Ratio.Point), scale{"", 1}.span(k.Ratio.Lo, k.Ratio.Hi, 1))
	}
	return text + fmt.Sprintf(": %s as much (%s)", times(k.Ratio.Point), scale{"", 1}.span(k.Ratio.Lo, k.Ratio.Hi, 1))
}

// consists says what an emulated guest's start is made of: its largest parts.
func (a *analysis) consists(c *cell, metric string) string {
	b := a.breakdown(c, metric)
	if b == nil {
		return ""
	}
	largest := b.parts
	if len(largest) > 1 {
		largest = append([]part(nil), largest...)
		sortParts(largest)
	}
	var texts []string
	for _, p := range largest[:min(3, len(largest))] {
		texts = append(texts, percent(p.share)+" "+p.title)
	}
	return ", of which " + strings.Join(texts, ", ")
}
