package input

import (
	"errors"
	"fmt"
)

// ErrMany is wrapped by errors about a text of JSON with more values than its bound.
var ErrMany = errors.New("too many values")

// Few is an error where a text of JSON has more values than most. Its reader makes each of
// them before anybody can count: an element that takes three bytes in a file, {} and a comma,
// may take some hundred times as many in memory.
func Few(data []byte, most int) error {
	n, quoted := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			i++
		case !quoted && (c == ',' || c == '[' || c == '{'):
			if n++; n > most {
				return fmt.Errorf("%w: more than %d, the most that is read of such a file", ErrMany, most)
			}
		}
	}
	return nil
}
