package scenarios

import (
	"slices"
	"testing"

	"lab/bench"
	"lab/bench/benchtest"
	"lab/bench/request"
	"lab/bench/results"
)

// What has both kinds of devices is compared with itself; what runs on no accelerator
// and has a kernel takes part unasked; what was asked for is what is measured.
func TestParavirtRows(t *testing.T) {
	asks := bench.About{Extra: true, Environment: results.Environment{Name: "asks", Guest: true}}
	o := bench.Options{Known: append(slices.Clone(benchtest.Known), asks)}
	rows := func() (out []string) {
		for _, c := range Paravirt().Cells(o) {
			out = append(out, results.Label(c.Env, c.Variant, c.N))
		}
		return out
	}
	want := []string{"host", "vm", "vm disk=ide machine=pc", "vm disk=virtio machine=pc",
		"vm from=host kernel=full net=bridge nic=e1000", "vm from=host kernel=full net=bridge nic=virtio", "asks"}
	if got := rows(); !slices.Equal(got, want) {
		t.Errorf("rows %q, want %q", got, want)
	}
	o.Request = request.Request{Environments: []string{"container"}}
	if got := rows(); !slices.Equal(got, []string{"container"}) {
		t.Errorf("rows %q of a container", got)
	}
}
