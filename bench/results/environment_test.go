package results

import "testing"

// What a manifest says of an environment holds; what an early one doesn't say is
// known of those that there were.
func TestEnvironment(t *testing.T) {
	early, late := &Manifest{}, &Manifest{Environments: []Environment{{Name: "vm", Caveat: "another"}, {Name: "toy", Guest: true}}}
	for name, want := range map[string]bool{"host": false, "container": false, "vm": true, "vm-bare": true, "toy": false} {
		if e := early.Environment(name); e.Guest != want || e.Name != name {
			t.Errorf("early: %+v", e)
		}
	}
	if e := late.Environment("vm"); e.Guest || e.Caveat != "another" {
		t.Errorf("what is said doesn't hold: %+v", e)
	}
	if !late.Environment("toy").Guest || late.Environment("host").Caveat != "" {
		t.Error("late")
	}
}
