package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/engine"
	"lab/bench/text"
)

// Progress is for people who wait. It goes to standard error, so that the output can be
// piped; it is one line that is drawn over, so that a log of the terminal stays short; and
// it costs the trials nothing, as it is drawn while none is made.

// A meter draws how far a run is, on one line of a terminal. Anywhere else,
// and on a terminal that can't move its cursor, it draws nothing.
type meter struct {
	f     *os.File
	on    bool
	color bool
	drawn bool
}

// newMeter draws on f, if that is a terminal whose cursor can be moved. NO_COLOR is
// honoured (no-color.org).
func newMeter(f *os.File) *meter {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	term := os.Getenv("TERM")
	on := err == nil && term != "" && term != "dumb"
	return &meter{f: f, on: on, color: on && os.Getenv("NO_COLOR") == ""}
}

// barWidth is how many characters the bar has.
const barWidth = 24

// draw draws the line anew. It is called between trials alone: writing to a terminal
// takes as long as a small program's start.
func (m *meter) draw(p engine.Progress) {
	if !m.on {
		return
	}
	full := 0
	if p.Total > 0 {
		full = p.Done * barWidth / p.Total
	}
	// Letters, not blocks of Unicode: a serial console and a log show them, too.
	bar := strings.Repeat("#", full) + strings.Repeat("-", barWidth-full)
	if m.color {
		bar = "\x1b[32m" + bar[:full] + "\x1b[0m" + bar[full:]
	}
	line := fmt.Sprintf(" %d/%d", p.Done, p.Total)
	if p.Left > 0 {
		line += say(", %s left", roughly(p.Left))
	}
	if p.Next != "" {
		line += ": " + p.Next
		if p.Warmup {
			line += say(" (warm-up)")
		}
	}
	if p.Failed > 0 {
		line += say(", %d failed", p.Failed)
	}
	fmt.Fprintf(m.f, "\r[%s]%s\x1b[K", bar, fit(line, m.width()-barWidth-3))
	m.drawn = true
}

// fit is as much of a line as columns have room for: one that wraps couldn't be drawn over.
func fit(line string, columns int) string {
	for r := []rune(line); text.Columns(line) > max(columns, 0); line = string(r) {
		r = r[:len(r)-1]
	}
	return line
}

// clear removes the line.
func (m *meter) clear() {
	if m.drawn {
		fmt.Fprint(m.f, "\r\x1b[K")
		m.drawn = false
	}
}

// width is the terminal's, which may have changed since the last line was drawn.
func (m *meter) width() int {
	width, _ := m.size()
	return width
}

// size is how many columns and lines it has.
func (m *meter) size() (width, height int) {
	if ws, err := unix.IoctlGetWinsize(int(m.f.Fd()), unix.TIOCGWINSZ); err == nil && ws.Col > 0 && ws.Row > 0 {
		return int(ws.Col), int(ws.Row)
	}
	return 80, 24
}

// roughly words a duration as nobody will hold us to.
func roughly(d time.Duration) string {
	switch {
	case d < 1500*time.Millisecond:
		return say("a second")
	case d < 90*time.Second:
		return say("%d s", int(d.Seconds()+0.5))
	case d < 90*time.Minute:
		return say("%d min", int(d.Minutes()+0.5))
	}
	return say("%.1f h", d.Hours())
}

// briefly words a trial's time, which may be far below a second.
func briefly(d time.Duration) string {
	switch {
	case d < 95*time.Millisecond:
		return say("%d ms", max(d.Milliseconds(), 1))
	case d < 9950*time.Millisecond:
		return say("%.1f s", d.Seconds())
	}
	return roughly(d)
}
