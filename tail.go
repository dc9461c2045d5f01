package main

import (
	"io"
	"os"
	"strings"
)

// keepTail reads f to its end and returns its last lines, indented: enough of
// a panic to report it, which begins with its reason.
func keepTail(f *os.File) string {
	defer f.Close()
	const first, last = 4 << 10, 4 << 10
	var head, tail []byte
	buf := make([]byte, 4096)
	for {
		n, err := f.Read(buf)
		if room := first - len(head); room > 0 {
			head = append(head, buf[:min(n, room)]...)
		} else {
			tail = append(tail, buf[:n]...)
			tail = tail[max(0, len(tail)-last):]
		}
		if err != nil {
			if err != io.EOF {
				return "\n     " + err.Error()
			}
			break
		}
	}
	text := strings.TrimSpace(string(head) + string(tail))
	if text == "" {
		return ""
	}
	lines := strings.Split(text, "\n")
	if len(lines) > 12 { // a panic's reason is first, where it happened next
		lines = append(lines[:11:11], "…")
	}
	return "\n     " + strings.Join(lines, "\n     ")
}
