// Package text lays out what people read on a terminal.
package text

import (
	"bytes"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// DefaultWidth is for pages that go to a file or a pipe.
const DefaultWidth = 80

// Width is how many columns f has: COLUMNS, or the terminal's own number; 0 when
// f is no terminal.
func Width(f *os.File) int {
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		return n
	}
	if ws, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ); err == nil {
		return int(ws.Col)
	}
	return 0
}

// A Writer wraps each line at its width. What follows the first line is indented
// as far as the text of the first: behind "lab: ", a list's mark or the columns
// that come before it.
type Writer struct {
	w     io.Writer
	width int
	line  []byte // that has no end yet
	err   error  // the first
}

// NewWriter wraps what goes to w at width columns; 0 leaves lines as they are.
func NewWriter(w io.Writer, width int) *Writer { return &Writer{w: w, width: width} }

// Write writes the whole lines of b, and keeps what has no end yet.
func (w *Writer) Write(b []byte) (int, error) {
	w.line = append(w.line, b...)
	end := bytes.LastIndexByte(w.line, '\n') + 1
	if end == 0 {
		return len(b), nil
	}
	var out strings.Builder
	for l := range strings.Lines(string(w.line[:end])) {
		out.WriteString(Wrap(l, w.width))
	}
	w.line = w.line[end:]
	w.put(out.String())
	return len(b), w.err
}

// Flush writes a last line that has no end, and returns the first error of all
// that was written.
func (w *Writer) Flush() error {
	if len(w.line) > 0 {
		w.put(Wrap(string(w.line), w.width))
		w.line = nil
	}
	return w.err
}

func (w *Writer) put(s string) {
	if _, err := io.WriteString(w.w, s); w.err == nil {
		w.err = err
	}
}

// command says whether a line is one to be copied: it begins as another user, with
// variables, or with the lab's own path. "lab run" may as well begin a sentence.
func command(line string) bool {
	rest := strings.TrimLeft(line, " ")
	if strings.HasPrefix(rest, "sudo ") || strings.HasPrefix(rest, "doas ") {
		return true
	}
	for {
		word, more, _ := strings.Cut(rest, " ")
		name, value, is := strings.Cut(word, "=")
		switch {
		case len(word) == len(rest): // nothing is behind it
			return false
		case strings.HasSuffix(word, "/lab"):
			return true
		case !is || value == "" || name == "" || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") != "":
			return false
		}
		rest = more
	}
}

// Wrap breaks one line at width columns. No word is cut; and the lines of a command
// to be copied end in a backslash.
func Wrap(line string, width int) string {
	end := ""
	if l, ok := strings.CutSuffix(line, "\n"); ok {
		line, end = l, "\n"
	}
	if width <= 0 || Columns(line) <= width {
		return line + end
	}
	hang, mark, copied := hanging(line, width), "", command(line)
	if copied {
		mark = ` \`
		hang += 4
	}
	var out strings.Builder
	for Columns(line) > width {
		at := breakAt(line, hang, width-len(mark), copied)
		if at < 0 {
			break
		}
		out.WriteString(strings.TrimRight(line[:at], " ") + mark + "\n")
		line = strings.Repeat(" ", hang) + strings.TrimLeft(line[at:], " ")
	}
	return out.String() + line + end
}

// breakAt is the last space at which a line can be broken so that what comes
// before it has at most room columns, else the first one after that; -1: there is
// none. A command isn't broken within quotes.
func breakAt(line string, hang, room int, command bool) int {
	best, at, quoted, escape := -1, 0, false, false
	for i, r := range line {
		switch {
		case r == '\x1b':
			escape = true
			continue
		case escape:
			escape = r != 'm'
			continue
		case r == '\'' && command:
			quoted = !quoted
		case r == ' ' && at > hang && !quoted && line[i-1] != ' ':
			if at > room && best >= 0 {
				return best
			}
			if best = i; at > room {
				return best
			}
		}
		at += columns(r)
	}
	return best
}

// hanging is the column at which the text of a line begins.
func hanging(line string, width int) int {
	indent := len(line) - len(strings.TrimLeft(line, " "))
	for _, lead := range []string{"lab: ", "- ", "! "} {
		if strings.HasPrefix(line[indent:], lead) {
			return indent + len(lead)
		}
	}
	// Behind the last gap of two spaces or more that is near the beginning.
	hang, at, gap := indent, 0, 0
	for _, r := range line {
		if r == ' ' {
			gap++
		} else {
			if gap > 1 && at <= width*3/5 {
				hang = at
			}
			gap = 0
		}
		at += columns(r)
	}
	return hang
}

// Columns is how many columns a text takes, without its colours.
func Columns(s string) (n int) {
	escape := false
	for _, r := range s {
		switch {
		case r == '\x1b':
			escape = true
		case escape:
			escape = r != 'm'
		default:
			n += columns(r)
		}
	}
	return n
}

// columns is how many a letter takes: two if it is Korean, Chinese or Japanese (Unicode's
// annex 11, "W" and "F").
func columns(r rune) int {
	switch {
	case r < 0x1100:
	case r <= 0x115f, r >= 0x2e80 && r <= 0xa4cf && r != 0x303f, r >= 0xac00 && r <= 0xd7a3, r >= 0xf900 && r <= 0xfaff,
		r >= 0xfe30 && r <= 0xfe6f, r >= 0xff00 && r <= 0xff60, r >= 0xffe0 && r <= 0xffe6, r >= 0x20000 && r <= 0x3fffd:
		return 2
	}
	return 1
}

// Pad is a text filled up with spaces to n columns.
func Pad(s string, n int) string { return s + strings.Repeat(" ", max(0, n-Columns(s))) }
