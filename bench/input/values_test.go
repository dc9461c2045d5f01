package input

import (
	"errors"
	"strings"
	"testing"
)

// Values are counted wherever they are, and nothing within a text is one.
func TestFew(t *testing.T) {
	for text, n := range map[string]int{
		`{"a":1,"b":[1,2,3]}`: 5, `[{},{},{}]`: 6, `"a,b[{\",\\"`: 0, `["\\",",",1]`: 3, ``: 0, `{"a":"` + strings.Repeat(",", 100) + `"}`: 1,
	} {
		if err := Few([]byte(text), n); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if err := Few([]byte(text), n-1); n > 0 && !errors.Is(err, ErrMany) {
			t.Errorf("%s: has %d, and no more than %d: %v", text, n, n-1, err)
		}
	}
}
