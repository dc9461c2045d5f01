package reports

import (
	"strings"
	"testing"

	"lab/bench/results"
	"lab/reports/analysis"
)

// A report says of an environment what the manifest has of it, whatever its
// name is; of an early folder's what it always said.
func TestCaveats(t *testing.T) {
	run := synthetic(6)
	page := func() string { return markdown(analysis.Of(run)) }
	early := page()
	for _, want := range []string{"`container` is our minimal runtime", "a lower bound for what people deploy.", "next to nothing else, here emulated in software (TCG)."} {
		if !strings.Contains(early, want) {
			t.Errorf("an early folder's report doesn't say %q", want)
		}
	}
	run.Manifest.Environments = []results.Environment{{Name: "container", WholeCommand: true, Caveat: "a toy"}, {Name: "vm", Guest: true}}
	late := page()
	if !strings.Contains(late, "`container` is a toy; what is timed is a whole command") || strings.Contains(late, "minimal runtime") || strings.Contains(late, "`vm` is") {
		t.Error(late)
	}
}

// Only guests' figures depend on the guest kernel.
func TestGuestsKernel(t *testing.T) {
	run := synthetic(6)
	run.Manifest.Kernel = results.Digested{Name: "6.1", Digest: "sha256:1234567890abcdef"}
	run.Manifest.Environments = []results.Environment{{Name: "container", Guest: true}, {Name: "vm"}}
	other := *run
	other.Manifest.ID, other.Manifest.Kernel.Digest = "another", "sha256:fedcba0987654321"
	m, err := analysis.AcrossMachines([]*results.Run{run, &other})
	if err != nil {
		t.Fatal(err)
	}
	groups := map[string]int{}
	for _, g := range m.Groups {
		groups[g.Entries[0].Cell.Env]++
	}
	if groups["container"] != 2 || groups["vm"] != 1 || groups["host"] != 1 {
		t.Errorf("groups by environment: %v", groups)
	}
}
