package clean

import (
	"bytes"
	"io"
	"unicode/utf8"
)

// A Writer writes texts to a terminal, or to what may be shown on one later. Its
// first error stays: whoever printed without looking can ask for it at the end.
type Writer struct {
	To    io.Writer
	Color bool // our own colours may pass

	held []byte // the beginning of a character whose rest is still to come
	err  error
}

// color is how long the sequence is that text begins with, if it is one that we
// write ourselves (colours and bold, and their end), else 0.
func color(text []byte) int {
	if !bytes.HasPrefix(text, []byte("\x1b[")) {
		return 0
	}
	rest := bytes.TrimLeft(text[2:], "0123456789;")
	if len(rest) == 0 || rest[0] != 'm' {
		return 0
	}
	return len(text) - len(rest) + 1
}

func (w *Writer) Write(b []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	text := append(w.held, b...)
	w.held = nil
	for i := 1; i <= min(utf8.UTFMax-1, len(text)); i++ {
		if end := text[len(text)-i:]; utf8.RuneStart(end[0]) {
			if !utf8.FullRune(end) {
				w.held = bytes.Clone(end)
				text = text[:len(text)-i]
			}
			break
		}
	}
	if !w.put(text) {
		return 0, w.err
	}
	return len(b), nil
}

// Close writes what is left, and returns the first error of all. It leaves To open.
func (w *Writer) Close() error {
	if w.err == nil && len(w.held) > 0 {
		w.put(w.held)
		w.held = nil
	}
	return w.err
}

func (w *Writer) put(text []byte) bool {
	if len(text) == 0 {
		return true
	}
	out := text
	if !plain(string(text)) {
		out = nil
		at := 0
		for i := 0; w.Color && i < len(text); i++ {
			if n := color(text[i:]); n > 0 {
				out = append(append(out, Text(string(text[at:i]))...), text[i:i+n]...)
				at = i + n
				i = at - 1
			}
		}
		out = append(out, Text(string(text[at:]))...)
	}
	_, w.err = w.To.Write(out)
	return w.err == nil
}
