package reports

import (
	"strings"
	"testing"

	"lab/bench/results"
	"lab/reports/analysis"
	"lab/reports/msg"
	"lab/reports/plot"
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
	if !strings.Contains(late, "`container` is a toy.") || strings.Count(late, "What is timed of a command is all of it") != 1 || strings.Contains(late, "minimal runtime") || strings.Contains(late, "`vm` is") {
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

// What is timed as a whole command isn't compared with what is timed in process, by
// what a start takes; by all else it is.
func TestWholeCommandsApart(t *testing.T) {
	run := synthetic(10)
	of := func() *analysis.Cell {
		for _, c := range analysis.Of(run).Cells {
			if c.Env == "container" {
				return c
			}
		}
		t.Fatal("no container")
		return nil
	}
	name := analysis.Of(run).Metrics[0].Name
	if of().Samples[name].Against == nil {
		t.Fatal("the container isn't compared with the host")
	}
	run.Manifest.Environments = []results.Environment{{Name: "container", WholeCommand: true, Caveat: "a toy"}}
	if of().Samples[name].Against == nil {
		t.Errorf("not compared by %s, which no start is in", name)
	}
	for i := range run.Manifest.Metrics {
		run.Manifest.Metrics[i].Start = true
	}
	if of().Samples[name].Against != nil {
		t.Errorf("compared by %s, which a start is in", name)
	}
	if !strings.Contains(markdown(analysis.Of(run)), "not compared") {
		t.Error("the table doesn't say that it isn't compared")
	}
	figures, err := plot.Draw(analysis.Of(run), msg.English())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range figures {
		if f.Name == "plots/ready.svg" && (!strings.Contains(string(f.Data), ">whole command<") || !strings.Contains(string(f.Data), "A whole command is timed with")) {
			t.Errorf("%s doesn't mark the rows that are whole commands", f.Name)
		}
	}
}
