package scenarios

import (
	"strings"
	"testing"

	"lab/bench"
	"lab/bench/benchtest"
	"lab/bench/request"
)

// Bytes that went another way than the cell says fail, by the device's name.
func TestNetworkPath(t *testing.T) {
	const mib = 1 << 20
	for _, x := range []struct {
		name    string
		way     way
		bytes   map[string]float64
		wrong   string // "" is right
		payload float64
	}{
		{"loopback", way{loopback: true}, map[string]float64{"lo": 2 * mib}, "", mib},
		{"loopback, with the neighbours' talk on the bridge", way{loopback: true}, map[string]float64{"lo": 2 * mib, "lab0": 900, "v1": 900}, "", mib},
		{"loopback expected, bridge taken", way{loopback: true}, map[string]float64{"lo": 0, "lab0": mib, "v1": mib}, "lo carried 0", mib},
		{"too few", way{loopback: true}, map[string]float64{"lo": mib - 1}, "lo carried", mib},
		{"bridge", way{bridge: true, ports: 1}, map[string]float64{"lo": 0, "lab0": mib, "v1": mib}, "", mib},
		{"bridge expected, loopback taken", way{bridge: true, ports: 1}, map[string]float64{"lo": 2 * mib, "lab0": 0, "v1": 0}, "carried", mib},
		{"both", way{bridge: true, ports: 1}, map[string]float64{"lo": mib, "lab0": mib, "v1": mib}, "lo carried", mib},
		{"another's port, too", way{bridge: true, ports: 1}, map[string]float64{"lo": 0, "lab0": mib, "v1": mib, "v2": mib}, "v2 carried", mib},
		{"no port", way{bridge: true, ports: 1}, map[string]float64{"lo": 0, "lab0": mib}, "has 0 ports", mib},
		{"twins", way{ports: 2}, map[string]float64{"lo": 0, "lab0": 0, "v1": mib, "v2": mib}, "", mib},
		{"twins by way of the host", way{ports: 2}, map[string]float64{"lo": 0, "lab0": mib, "v1": mib, "v2": mib}, "lab0 carried", mib},
		{"twins, one silent", way{ports: 2}, map[string]float64{"lo": 0, "lab0": 0, "v1": mib, "v2": 0}, "v2 carried 0", mib},
		{"no device", way{loopback: true}, map[string]float64{}, "no lo", mib},
		{"single bytes", way{bridge: true, ports: 1}, map[string]float64{"lo": 0, "lab0": 5300, "v1": 5300}, "", 100},
	} {
		err := x.way.prove(passage{bytes: x.bytes}, x.payload)
		if (err == nil) != (x.wrong == "") || err != nil && !strings.Contains(err.Error(), x.wrong) {
			t.Errorf("%s: %v, want %q", x.name, err, x.wrong)
		}
	}
}

func TestNetworkShare(t *testing.T) {
	for _, x := range []struct {
		bytes map[string]float64
		want  float64
	}{
		{map[string]float64{"lo": 5, "lab0": 5}, 0},
		{map[string]float64{"lo": 0, "lab0": 5, "v1": 5, "v2": 1}, 1},
		{map[string]float64{"lo": 5, "v1": 15}, 0.75},
		{map[string]float64{"lo": 0}, 0},
	} {
		if got := (passage{bytes: x.bytes}).share(); got != x.want {
			t.Errorf("%v: %v, want %v", x.bytes, got, x.want)
		}
	}
}

// Each cell has a way that is proved, and each finding has its cells.
func TestNetworkCells(t *testing.T) {
	count := func(o bench.Options) int { o.Known = benchtest.Known; return len(networkCells(o)) }
	all := count(bench.Options{})
	if quick := count(bench.Options{Request: request.Request{Quick: true}}); quick != all-1 {
		t.Errorf("%d cells, %d under --quick", all, quick)
	}
	for variant, want := range map[string]int{"bridge": 8, "host": 3, "user": 1, "none": 0} {
		if got := count(bench.Options{Request: request.Request{Variant: request.Settings{"net": {variant}}}}); got != want {
			t.Errorf("net=%s: %d cells, want %d", variant, got, want)
		}
	}
	if got := count(bench.Options{Request: request.Request{Environments: []string{"container"}, Variant: request.Settings{"net": {"host", "bridge"}}}}); got != 3 {
		t.Errorf("--env container --variant net=host,net=bridge: %d cells, want 3", got)
	}
	for _, f := range networkFindings {
		for env, variant := range map[string]map[string]string{f.Of: f.OfVariant, f.To: f.ToVariant} {
			found := env == ""
			for _, c := range networkCells(bench.Options{Known: benchtest.Known}) {
				same := c.Env == env
				for k, v := range variant {
					same = same && c.Variant[k] == v
				}
				found = found || same
			}
			if !found {
				t.Errorf("finding %s: no cell %s %v", f.Name, env, variant)
			}
		}
		if f.Reason == "" || f.Threshold == 0 || f.Claim == 0 && f.Of != "vm" {
			t.Errorf("finding %s lacks its threshold, reason or claim", f.Name)
		}
	}
}
