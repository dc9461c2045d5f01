package clean

import (
	"fmt"
	"sync"
)

// A Tail keeps, of what a program writes to it, the last Most bytes, and the first Head
// bytes: a panic begins with its reason, and whatever else there is to say was said
// last. It may be read while it is written to.
type Tail struct {
	Head, Most int

	mu         sync.Mutex
	head, tail []byte
	cut        int
}

// Write never fails.
func (t *Tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	room := min(len(b), t.Head-len(t.head))
	t.head = append(t.head, b[:room]...)
	t.tail = append(t.tail, b[room:]...)
	if over := len(t.tail) - t.Most; over > 0 {
		t.tail = append(t.tail[:0], t.tail[over:]...)
		t.cut += over
	}
	return len(b), nil
}

// String is what was kept, as it was written; with a beginning, what was left out
// between is counted.
func (t *Tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cut > 0 && t.Head > 0 {
		return fmt.Sprintf("%s\n… %d bytes …\n%s", t.head, t.cut, t.tail)
	}
	return string(t.head) + string(t.tail)
}
