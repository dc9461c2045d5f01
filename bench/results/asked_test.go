package results

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"lab/bench/request"
)

// What an earlier lab wrote down of what was asked is read as what this one does.
func TestEarly(t *testing.T) {
	zero, seed := 0, uint64(7)
	for text, want := range map[string]*Asked{
		`{"scenario": "cpu", "seed": "7", "accel": "auto"}`:         nil,
		`{"scenario": "cpu", "seed": "7", "asked": {"warmup": -1}}`: {Scenarios: []string{"cpu"}, Seed: &seed, Variant: request.Settings{}},
		`{"scenario": "disk", "seed": "7", "quick": true, "accel": "kvm", "asked": {"envs": ["host", "vm"], "variant": {"accel": "kvm", "anyway": "yes", "net": "none"},
		  "vary": {"disk": ["ide", "virtio"]}, "runs": 6, "warmup": 0, "precision": 0.02, "max_time": 90.5, "cpus": "0-1", "disk_budget": 1024, "work": true,
		  "sessions": 3, "strict": true, "connect": "qemu:///system"}}`: {Scenarios: []string{"disk"}, Environments: []string{"host", "vm"}, Trials: 6, Warmup: &zero, Seed: &seed,
			Variant: request.Settings{"net": {"none"}, "disk": {"ide", "virtio"}}, Accel: "kvm", Anyway: true, Quick: true, Precision: 0.02,
			MaxTime: request.Span(90*time.Second + 500*time.Millisecond), Strict: true, CPUs: "0-1", DiskBudget: 1024, Work: request.Unrecorded, Sessions: 3, Connect: "qemu:///system"},
	} {
		var m Manifest
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			t.Fatal(err)
		}
		if m.renew(); !reflect.DeepEqual(m.Asked, want) || m.Early != nil {
			t.Errorf("%s:\n%+v, want\n%+v", text, m.Asked, want)
		}
		if m.renew(); !reflect.DeepEqual(m.Asked, want) {
			t.Errorf("once more: %+v", m.Asked)
		}
	}
}
