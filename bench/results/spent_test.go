package results

import (
	"reflect"
	"testing"
)

// A trial lasts until the next one of its session begins; what failed, and what
// has no next one, tells nothing.
func TestSpent(t *testing.T) {
	at := func(env string, trial, session int, at float64, err string) Line {
		return Line{Env: env, N: 1, Trial: trial, Session: session, At: at, Err: err, Last: true}
	}
	r := &Run{Lines: []Line{
		at("a", 0, 1, 0, ""), at("b", 1, 1, 2, ""), at("a", 2, 1, 5, "no room"), at("b", 3, 1, 5.5, ""),
		at("a", 4, 2, 5.75, ""), at("a", 5, 2, 7.75, ""), at("b", 7, 2, 9, ""), at("a", 8, 2, 10, ""),
	}}
	want := map[string][]float64{"a": {2, 2}, "b": {3, 1}}
	if got := r.Spent(); !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
