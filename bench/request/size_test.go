package request_test

import (
	"testing"

	"lab/bench/request"
)

func TestParseSize(t *testing.T) {
	for word, want := range map[string]int64{
		"1": 1, "64M": 64 << 20, "1g": 1 << 30, "2KiB": 2 << 10, "3TB": 3 << 40,
		"": 0, "0": 0, "-1M": 0, "M": 0, "1.5G": 0, "9999999T": 0, "1X": 0,
	} {
		got, err := request.ParseSize(word)
		if got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d, %v, want %d", word, got, err, want)
		}
	}
}
