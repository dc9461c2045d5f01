package container

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestOffsetsIn(t *testing.T) {
	for _, test := range []struct {
		text            string
		monotonic, boot int64
	}{
		{"", 0, 0},
		{"monotonic           0         0\nboottime            0         0\n", 0, 0},
		{"monotonic   100000000         0\nboottime   -5 250000000\n", 1e17, -4_750_000_000},
		{"1 7 0\n7 8 1\n", 7e9, 8e9 + 1},
		{"monotonic x 0\nother 1 1\n", 0, 0},
	} {
		got := offsetsIn(test.text)
		if got[unix.CLOCK_MONOTONIC] != test.monotonic || got[unix.CLOCK_BOOTTIME] != test.boot {
			t.Errorf("%q: %v", test.text, got)
		}
	}
}
