package scenarios

import (
	"errors"
	"strings"
	"testing"

	"lab/bench"
	"lab/bench/cgroup"
	"lab/bench/smaps"
)

// A machine without the room says so before the first trial, with what it would
// take; one with the room doesn't.
func TestMemoryFits(t *testing.T) {
	if err := memoryFits(bench.Cell{Env: "host", N: 1 << 20}); !errors.Is(err, bench.ErrUnavailable) ||
		!strings.Contains(err.Error(), "may take 671088640 MiB") || !strings.Contains(err.Error(), "fix") {
		t.Errorf("a million instances: %v", err)
	}
	m, err := bench.HostMemory()
	if err != nil {
		t.Fatal(err)
	}
	one := bench.Cell{Env: "host", N: 1, Quick: true}
	if err := memoryFits(one); (err == nil) != (memoryNeeds(one) <= m["MemAvailable"]/2) {
		t.Errorf("one small instance: %v, with %d available", err, m["MemAvailable"])
	}
	if a, b := memoryNeeds(one), memoryNeeds(bench.Cell{Guest: true, N: 1, Quick: true}); a >= b {
		t.Errorf("a guest needs %d, and a process %d", b, a)
	}
}

func TestMemoryInstances(t *testing.T) {
	const gib = 1 << 30
	for _, c := range []struct {
		guest bool
		quick bool
		all   int64
		most  int
	}{
		{false, false, 24 * gib, 8}, {true, false, 24 * gib, 8},
		{false, false, 1 << 40, 64}, {true, false, 1 << 40, 16},
		{false, false, 2 * gib, 2}, {true, false, 0, 2},
		{false, true, 1 << 40, 4}, {true, true, 1 << 40, 2},
	} {
		ns := memoryInstances(c.guest, c.quick, c.all)
		if ns[len(ns)-1] != c.most {
			t.Errorf("%+v: %v", c, ns)
		}
		for i, n := range ns {
			if n != 1<<i {
				t.Errorf("%+v: %v", c, ns)
			}
		}
	}
}

// A trial names the instance that doesn't hold what it asked for, and by whose
// count; two that hold the pages of one file show as one without.
func TestMemoryHolds(t *testing.T) {
	const held = 256 << 20
	cost := func(pss, anon, file int64) bench.Cost {
		return bench.Cost{Group: &cgroup.Memory{Anon: anon, File: file}, Processes: []smaps.Process{{PSS: pss}}}
	}
	guest := func(anon, file float64) *holder {
		return &holder{says: map[string]float64{"grown.AnonPages": anon, "grown.Cached": file}}
	}
	for _, x := range []struct {
		name    string
		h       *holder
		cost    bench.Cost
		inGuest bool
		want    string // in the error; "" is none
	}{
		{"all there", &holder{}, cost(2*held+1<<20, held+1<<20, held), false, ""},
		{"just there", &holder{}, cost(2*held, held*99/100, held*99/100), false, ""},
		{"no file", &holder{}, cost(2*held, held, 0), false, "instance 4 doesn't hold what it asked for: by its cgroup's file memory 0 KiB of 262144"},
		{"half a file", &holder{}, cost(held*3/2, held, held), false, "by its processes on the host 393216 KiB of 524288"},
		{"swapped", &holder{}, cost(2*held, held/2, held), false, "anonymous"},
		{"without a cgroup", &holder{}, bench.Cost{Processes: []smaps.Process{{PSS: held}}}, false, "processes"},
		{"a guest", guest(held, held), bench.Cost{Processes: []smaps.Process{{PSS: 1}}}, true, ""},
		{"a guest without", guest(held, held*97/100), bench.Cost{}, true, "the guest's Cached"},
		{"a guest without /proc", &holder{}, bench.Cost{}, true, "the guest's AnonPages 0 KiB"},
	} {
		err := holds(3, x.h, x.cost, x.inGuest, held)
		if (err == nil) != (x.want == "") || err != nil && (!strings.Contains(err.Error(), x.want) || bench.Whose(err) != bench.BlameMachine) {
			t.Errorf("%s: %v", x.name, err)
		}
	}
}
