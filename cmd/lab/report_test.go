package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"lab/cmd/cli"
)

// A signal that comes while a report is written waits for its last file; the second
// doesn't, and the user is told what draws the rest.
func TestReportIsWhole(t *testing.T) {
	for n, want := range map[int]string{1: "terminated: writing the report in r first", 2: "report r"} {
		name := filepath.Join(t.TempDir(), "stderr")
		note, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		a := newApp([]string{"lab", "report"}, os.Stdin, note, note)
		written, over := make(chan bool, 1), make(chan bool)
		err = a.uninterrupted("r", func() error {
			for i := range n {
				syscall.Kill(os.Getpid(), syscall.SIGTERM)
				for said := ""; strings.Count(said, "lab: ") <= i; { // each was heard
					b, _ := os.ReadFile(name)
					said = string(b)
				}
			}
			if n > 1 {
				<-over // it takes longer than the user waits
			}
			written <- true
			return nil
		})
		var s *cli.StatusError
		if !errors.As(err, &s) || s.Status != cli.StatusInterrupted || s.Err != nil {
			t.Errorf("%d signals: %v, want status %d", n, err, cli.StatusInterrupted)
		}
		if len(written) != 2-n {
			t.Errorf("%d signals: written to the end: %v", n, len(written) == 1)
		}
		close(over)
		if said, _ := os.ReadFile(name); !strings.Contains(string(said), want) {
			t.Errorf("%d signals: it says %q, want %q", n, said, want)
		}
	}
}
