package reports

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"lab/bench/stats"
)

// here ends every conclusion.
const here = "on this machine"

// capital and lower change the first letter alone; lower leaves abbreviations
// such as KVM as they are.
func capital(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	return string(unicode.ToUpper(r)) + s[n:]
}

func lower(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if next, _ := utf8.DecodeRuneInString(s[n:]); n == 0 || unicode.IsUpper(next) {
		return s
	}
	return string(unicode.ToLower(r)) + s[n:]
}

// ends writes an interval's two ends and what they are.
func ends(iv stats.Interval, s scale) string {
	if !iv.Known() {
		return fmt.Sprintf("range %s, too few for an interval", s.join(s.span(iv.Lo, iv.Hi)))
	}
	return "95 % interval " + s.join(s.span(iv.Lo, iv.Hi))
}

// notRun says why a cell has no trial, and what helps.
func notRun(c *cell) string {
	s := "not run: " + c.NotRun.Reason
	if c.NotRun.Cure != "" {
		s += "; cure: " + c.NotRun.Cure
	}
	return s
}

// becauseTCG says why the run's guests were emulated, from "because" on.
func (a *analysis) becauseTCG() string {
	reason := strings.TrimRight(strings.TrimSpace(a.run.Machine.Acceleration.Reason), ".")
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
func (a *analysis) banners() []string {
	var out []string
	m := a.run.Manifest
	switch m.Outcome {
	case "interrupted":
		out = append(out, fmt.Sprintf("This run was interrupted: it has %d of %d planned trials. What was measured until then is shown.", a.done(), a.planned()))
	case "nothing":
		out = append(out, "Nothing could be run. Each row says why, and what helps.")
	case "":
		out = append(out, fmt.Sprintf("This run has no end: it is still going on, or was killed. It has %d of %d planned trials.", a.done(), a.planned()))
	}
	if a.anyTCG() {
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
		switch {
		case c.tcg:
			text += escape(a.consists(c, m.Name))
		case x.against != nil:
			text += ", " + escape(against(c, x.against, m.Unit))
		}
		out = append(out, text+", "+here+".")
	}
	return out
}

// against says how a cell lies to its baseline: first what is added, then the
// ratio.
func against(c *cell, k *comparison, unit string) string {
	s := scaleFor(widest(k.difference), unit)
	d := k.difference
	if !d.Known() {
		return fmt.Sprintf("too few trials to compare with %s", c.base.label)
	}
	if !k.differs() {
		return fmt.Sprintf("no difference from %s was found (%s)", c.base.label, ends(d, s))
	}
	word := "more"
	if d.Point < 0 {
		word = "less"
		d.Point, d.Lo, d.Hi = -d.Point, -d.Hi, -d.Lo
	}
	text := fmt.Sprintf("%s %s than %s (%s)", s.with(d.Point), word, c.base.label, s.join(s.span(d.Lo, d.Hi)))
	if k.ratio == nil {
		return text
	}
	if unit == "s" {
		return text + fmt.Sprintf(": it takes %s the time (%s)", times(k.ratio.Point), scale{"", 1}.span(k.ratio.Lo, k.ratio.Hi))
	}
	return text + fmt.Sprintf(": %s as much (%s)", times(k.ratio.Point), scale{"", 1}.span(k.ratio.Lo, k.ratio.Hi))
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
