package reports

import (
	"strings"
	"testing"

	"lab/bench/results"
)

// A report says of an environment what the manifest has of it, whatever its
// name is; of an early folder's what it always said.
func TestCaveats(t *testing.T) {
	run := synthetic(6)
	page := func() string { return string(markdown(analyse(run))) }
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
	a := analyse(run)
	for _, c := range a.cells {
		if got := conditionsOf(a, c).kernel != ""; got != (c.Env == "container") {
			t.Errorf("%s: the kernel counts: %v", c.Env, got)
		}
	}
}

// What is timed as a whole command isn't compared with what is timed in process, by
// what a start takes; by all else it is.
func TestWholeCommandsApart(t *testing.T) {
	run := synthetic(10)
	of := func() *cell {
		for _, c := range analyse(run).cells {
			if c.Env == "container" {
				return c
			}
		}
		t.Fatal("no container")
		return nil
	}
	name := analyse(run).metrics[0].Name
	if of().samples[name].against == nil {
		t.Fatal("the container isn't compared with the host")
	}
	run.Manifest.Environments = []results.Environment{{Name: "container", WholeCommand: true, Caveat: "a toy"}}
	if of().samples[name].against == nil {
		t.Errorf("not compared by %s, which no start is in", name)
	}
	for i := range run.Manifest.Metrics {
		run.Manifest.Metrics[i].Start = true
	}
	if of().samples[name].against != nil {
		t.Errorf("compared by %s, which a start is in", name)
	}
	if !strings.Contains(string(markdown(analyse(run))), notCompared) {
		t.Error("the table doesn't say that it isn't compared")
	}
}
