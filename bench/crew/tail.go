package crew

import (
	"io"
	"os"
	"strings"

	"lab/bench/clean"
)

// keepTail reads f to its end and returns its beginning and its end.
func keepTail(f *os.File) string {
	defer f.Close()
	t := clean.Tail{Head: 64 << 10, Most: 64 << 10}
	io.Copy(&t, f) // an error is its end, mostly
	return t.String()
}

// Excerpt is the few lines of a worker's last words that a person wants to see
// at once, indented.
func Excerpt(said string) string {
	said = strings.TrimSpace(said)
	if said == "" {
		return ""
	}
	lines := strings.Split(said, "\n")
	if len(lines) > 8 {
		lines = append(lines[:8:8], "… (more in logs/worker.log)")
	}
	return "\n     " + strings.Join(lines, "\n     ")
}
