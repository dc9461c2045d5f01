package launch

import (
	"os"
	"strings"
	"testing"

	"lab/bench"
)

// An output that can't be written to isn't taken for one that nobody wants.
func TestPumpsUnwritable(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	c := &bench.Command{}
	p, err := Pump(c, null, null, null)
	if err != nil {
		t.Fatal(err)
	}
	if c.Stdin != Null || c.Stdout == Null || c.Stderr == Null {
		t.Errorf("in %v, out %v, errors %v: want the null device for the first alone", c.Stdin == Null, c.Stdout == Null, c.Stderr == Null)
	}
	c.Stdout.WriteString("lost")
	p.Begin()
	if _, err := p.End(nil); err == nil || !strings.Contains(err.Error(), "lost") {
		t.Errorf("End: %v, want an error that says what was lost", err)
	}
}
