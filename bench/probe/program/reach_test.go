package main

import (
	"errors"
	"os"
	"testing"
)

// A process of ours with the neighbour's number isn't the neighbour, though the mark is
// among its arguments.
func TestOwnNumberIsNoNeighbour(t *testing.T) {
	s := &search{options: options{"memfd": "0", "file": "/"}, mark: os.Args[0], pid: os.Getpid(), dir: t.TempDir()}
	if err := s.shown(proc); !errors.Is(err, errAnother) {
		t.Errorf("shown: %v", err)
	}
	for _, x := range processTries {
		if a, err := x.do(s); a != neither || !errors.Is(err, errAnother) {
			t.Errorf("%s: %d, %v", x.name, a, err)
		}
	}
}
