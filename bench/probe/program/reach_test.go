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

// A guest may run the very version that the host runs: that isn't the host's kernel.
func TestSameVersionIsNoSameKernel(t *testing.T) {
	for _, x := range nameTries {
		for _, same := range []bool{true, false} {
			s := &search{options: options{"kernel": version()}, same: same}
			if a, err := s.try(x); x.name == "kernel" && (a == sees) != same {
				t.Errorf("the same kernel %v: %d, %v", same, a, err)
			}
		}
	}
}
