package request

import (
	"reflect"
	"testing"
)

func TestPairs(t *testing.T) {
	for text, want := range map[string][]Pair{
		"a=1,b=2":     {{"a", "1"}, {"b", "2"}},
		"kernel=A,B":  {{"kernel", "A"}, {"kernel", "B"}},
		" a=1 , ,b=2": {{"a", "1"}, {"b", "2"}},
		`kernel=A,B,append="mitigations=auto,nosmt quiet",append=none`: {{"kernel", "A"}, {"kernel", "B"}, {"append", "mitigations=auto,nosmt quiet"}, {"append", "none"}},
		"append=mitigations=off": {{"append", "mitigations=off"}},
	} {
		if got, err := Pairs(text); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"a", "=1", "a=", `a="`, `a="1`, `a="1"2`, `a=1"2"`, `"a"=1`} {
		if got, err := Pairs(text); err == nil {
			t.Errorf("%s: %q", text, got)
		}
	}
}
