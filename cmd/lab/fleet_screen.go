package main

import (
	"bytes"
	"fmt"
	"os"

	"lab/bench/fleet"
)

// A screen shows all machines at once, on a terminal whose cursor can be moved.
type screen struct {
	meter
	lines int // drawn
}

func newScreen(f *os.File) *screen { return &screen{meter: *newMeter(f)} }

// draw draws it anew: how many are how far, and a line for each that is at work, as far
// as there is room.
func (s *screen) draw(all []fleet.Status) {
	if !s.on {
		return
	}
	var out bytes.Buffer
	if s.lines > 0 {
		fmt.Fprintf(&out, "\x1b[%dA", s.lines)
	}
	width, height := s.size()
	s.lines = 0
	line := func(text string) {
		fmt.Fprintf(&out, "\r%s\x1b[K\n", fit(text, width-1))
		s.lines++
	}
	count := map[string]int{}
	for _, h := range all {
		count[h.State]++
	}
	line(say("%d machines: %d done, %d at work, %d waiting, %d failed", len(all), count[fleet.Done],
		len(all)-count[fleet.Done]-count[fleet.Dropped]-count[fleet.Waiting]-count[fleet.Failed], count[fleet.Waiting], count[fleet.Failed]))
	for _, h := range all {
		if h.State == fleet.Done || h.State == fleet.Dropped || h.State == fleet.Waiting && h.Reason == "" || s.lines >= height-2 {
			continue
		}
		text := fmt.Sprintf("  %-20s %s", h.Name, say(h.State))
		switch {
		case h.Reason != "":
			text += ": " + inLanguage(h.Reason)
		case h.Scenario != "" && h.Total > 0:
			text += fmt.Sprintf(" %s %d/%d", h.Scenario, h.Done, h.Total)
		}
		line(text)
	}
	out.WriteString("\x1b[J")
	s.f.Write(out.Bytes())
}

func (s *screen) clear() {
	if s.lines > 0 {
		fmt.Fprintf(s.f, "\x1b[%dA\r\x1b[J", s.lines)
		s.lines = 0
	}
}
