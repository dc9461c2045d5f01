package proc

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	rest := strings.Repeat(" 0", 15)
	s, ok := parse([]byte("4711 (a) b (c)) Z 1 4711 12" + rest + " 99 0"))
	if want := (Stat{"a) b (c)", 'Z', 1, 12, "99"}); !ok || s != want {
		t.Errorf("%+v, %v, want %+v", s, ok, want)
	}
	for _, bad := range []string{"", "1 (x", "1 (x)", "1 (x) S", "1 (x) S y 1 1" + rest + " 9", "1 (x) SS 1 1 1" + rest + " 9"} {
		if s, ok := parse([]byte(bad)); ok {
			t.Errorf("%q was read as %+v", bad, s)
		}
	}
}

func TestRead(t *testing.T) {
	if s, ok := Read(os.Getpid()); !ok || s.Parent != os.Getppid() || s.State == 'Z' || s.Began == "" {
		t.Errorf("%+v, %v", s, ok)
	}
	if s := Status(os.Getpid()); s["PPid"] != strconv.Itoa(os.Getppid()) || s["Name"] == "" {
		t.Errorf("status: %v", s)
	}
	if !slices.Contains(PIDs(), os.Getpid()) {
		t.Error("this process isn't among all")
	}
	if _, ok := Read(1 << 30); ok {
		t.Error("a process that can't be was read")
	}
}
