package scenarios

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"lab/bench"
)

// The path of a trial's bytes is proved by the counters of the testbed's
// devices: a figure of "the bridge" whose bytes went over loopback would be
// worth less than none.

// A way is where a cell's bytes have to pass.
type way struct {
	loopback, bridge bool // lo; the bridge's own device, by which the host is on it
	ports            int  // of the bridge
}

func (w way) String() string {
	var s []string
	if w.loopback {
		s = append(s, "lo")
	}
	if w.bridge {
		s = append(s, bench.Bridge)
	}
	if w.ports > 0 {
		s = append(s, []string{"one port", "two ports"}[w.ports-1])
	}
	return strings.Join(s, ", ")
}

// wayOf is a cell's way.
func wayOf(c bench.Cell) way {
	switch {
	case c.Variant["net"] != "bridge":
		return way{loopback: true}
	case c.Variant["from"] == "twin":
		return way{ports: 2}
	}
	return way{bridge: true, ports: 1}
}

// A passage is how many bytes each device has carried, both ways together.
type passage struct {
	bytes   map[string]float64
	devices []bench.Device
}

func carried(t *bench.T) (passage, error) {
	devices, err := t.Devices()
	p := passage{bytes: map[string]float64{}, devices: devices}
	for _, d := range devices {
		p.bytes[d.Name] = float64(d.Received + d.Sent)
	}
	return p, err
}

// since is what was carried from an earlier count on.
func (p passage) since(before passage) passage {
	out := passage{bytes: map[string]float64{}, devices: p.devices}
	for name, n := range p.bytes {
		out.bytes[name] = n - before.bytes[name]
	}
	return out
}

// ports are the devices that are neither loopback nor the bridge itself, from
// the busiest on.
func (p passage) ports() (names []string) {
	for name := range p.bytes {
		if name != "lo" && name != bench.Bridge {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		if p.bytes[a] != p.bytes[b] {
			return int(min(max(p.bytes[b]-p.bytes[a], -1), 1))
		}
		return strings.Compare(a, b)
	})
	return names
}

// share is the busiest port's by its own and loopback's.
func (p passage) share() float64 {
	var port float64
	if names := p.ports(); len(names) > 0 {
		port = p.bytes[names[0]]
	}
	if port+p.bytes["lo"] == 0 {
		return 0
	}
	return port / (port + p.bytes["lo"])
}

// stray is what may pass elsewhere: neighbours are looked for, and a new
// device says that it is there.
const stray = 16 << 10

// prove says what is wrong where a payload of so many bytes didn't pass each of
// the way's devices, or passed another one.
func (w way) prove(p passage, payload float64) error {
	var want []string
	if w.loopback {
		want = append(want, "lo")
	}
	if w.bridge {
		want = append(want, bench.Bridge)
	}
	ports := p.ports()
	if len(ports) < w.ports {
		return fmt.Errorf("the bytes were to pass %v, and the bridge has %d ports", w, len(ports))
	}
	want = append(want, ports[:w.ports]...)
	for _, name := range want {
		switch n, ok := p.bytes[name]; {
		case !ok:
			return fmt.Errorf("the bytes were to pass %v, and there is no %s", w, name)
		case n < payload:
			return fmt.Errorf("%.0f bytes were to pass %v, and %s carried %.0f", payload, w, name, n)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.bytes)) {
		if n := p.bytes[name]; n > payload/100+stray && !slices.Contains(want, name) {
			return fmt.Errorf("%.0f bytes were to pass %v, and %s carried %.0f", payload, w, name, n)
		}
	}
	return nil
}

// found is the way with what its devices are set to, for the manifest.
func (w way) found(t *bench.T, p passage) map[string]string {
	out := t.NetworkFacts()
	out["path"] = w.String()
	ports := p.ports()
	for _, d := range p.devices {
		switch {
		case d.Name == "lo" && w.loopback, d.Name == bench.Bridge && w.ports > 0:
			out[d.Name] = d.Features()
		case w.ports > 0 && d.Name == ports[0]:
			out["port"] = d.Features()
		}
	}
	return out
}
