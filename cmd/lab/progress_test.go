package main

import (
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"lab/bench/engine"
	"lab/bench/launch"
)

var half = engine.Progress{Done: 6, Total: 12, Failed: 1, Next: "container", Left: 90 * time.Second, Warmup: true}

func TestMeter(t *testing.T) {
	master, slave, err := launch.OpenTerminal(unix.AT_FDCWD, "/dev/ptmx")
	if err != nil {
		t.Skip("no pseudo-terminal:", err, "; fix: mount -t devpts none /dev/pts")
	}
	defer master.Close()
	for _, x := range []struct {
		term, noColor string
		width         uint16
		want          string
	}{
		{"xterm", "1", 100, "\r[############------------] 6/12, 2 min left: container (warm-up), 1 failed\x1b[K\r\x1b[K"},
		{"xterm", "", 100, "\r[\x1b[32m############\x1b[0m------------] 6/12, 2 min left: container (warm-up), 1 failed\x1b[K\r\x1b[K"},
		{"xterm", "1", 40, "\r[############------------] 6/12, 2 min \x1b[K\r\x1b[K"},
		{"dumb", "1", 100, ""},
		{"", "", 100, ""},
	} {
		t.Setenv("TERM", x.term)
		t.Setenv("NO_COLOR", x.noColor)
		unix.IoctlSetWinsize(int(slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: x.width})
		m := newMeter(slave)
		m.draw(half)
		m.clear()
		m.clear() // has nothing left to do
		io.WriteString(slave, "|")
		if got := readTo(t, master, '|'); got != x.want {
			t.Errorf("TERM=%s NO_COLOR=%s, %d columns:\n got %q\nwant %q", x.term, x.noColor, x.width, got, x.want)
		}
	}
	slave.Close()
}

func readTo(t *testing.T, f *os.File, end byte) string {
	t.Helper()
	var b strings.Builder
	for c := make([]byte, 1); ; b.Write(c) {
		if _, err := f.Read(c); err != nil {
			t.Fatal(err)
		}
		if c[0] == end {
			return b.String()
		}
	}
}

// A file and a pipe get nothing.
func TestMeterElsewhere(t *testing.T) {
	t.Setenv("TERM", "xterm")
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m := newMeter(f)
	m.draw(half)
	m.clear()
	if st, err := f.Stat(); err != nil || st.Size() > 0 {
		t.Error("something was drawn into a file", err)
	}
}
