package crew

import (
	"fmt"
	"os"
	"strings"
)

// keepTail reads f to its end and returns its beginning and its end: a panic
// begins with its reason, and whatever else there is to say was said last.
func keepTail(f *os.File) string {
	defer f.Close()
	const most = 64 << 10 // of each
	var head, tail []byte
	cut := 0
	buf := make([]byte, 4096)
	for {
		n, err := f.Read(buf)
		if room := min(n, most-len(head)); room > 0 {
			head = append(head, buf[:room]...)
			tail = append(tail, buf[room:n]...)
		} else {
			tail = append(tail, buf[:n]...)
		}
		if over := len(tail) - most; over > 0 {
			tail = tail[over:]
			cut += over
		}
		if err != nil { // its end, mostly
			break
		}
	}
	if cut > 0 {
		return fmt.Sprintf("%s\n… %d bytes …\n%s", head, cut, tail)
	}
	return string(head) + string(tail)
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
