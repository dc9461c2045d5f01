package results

import (
	"time"

	"lab/bench/request"
)

// Asked is what was asked of a run, in the words of an experiment file, but for
// the paths, which say something of the machine alone.
type Asked = request.Request

// Early is what Asked was in folders of earlier labs. It is read and no longer written.
type Early struct {
	Envs       []string            `json:"envs,omitempty"`
	Variant    map[string]string   `json:"variant,omitempty"` // settings of one value
	Vary       map[string][]string `json:"vary,omitempty"`    // of several
	Runs       int                 `json:"runs,omitempty"`
	Warmup     int                 `json:"warmup"` // -1: not asked
	Precision  float64             `json:"precision,omitempty"`
	MaxTime    float64             `json:"max_time,omitempty"` // seconds
	CPUs       string              `json:"cpus,omitempty"`
	DiskBudget int64               `json:"disk_budget,omitempty"` // bytes
	Work       bool                `json:"work,omitempty"`        // it was named
	Sessions   int                 `json:"sessions,omitempty"`
	Strict     bool                `json:"strict,omitempty"`
	Connect    string              `json:"connect,omitempty"`
}

// renew makes of what an earlier lab wrote down what this one does.
func (m *Manifest) renew() {
	x := m.Early
	if x == nil || m.Asked != nil {
		return
	}
	a := &Asked{Scenarios: []string{m.Scenario}, Environments: x.Envs, Trials: x.Runs, Seed: &m.Seed, Quick: m.Quick,
		Accel: x.Variant["accel"], Anyway: x.Variant["anyway"] == "yes", Precision: request.Share(x.Precision),
		MaxTime: request.Span(x.MaxTime * float64(time.Second)), Strict: x.Strict, CPUs: request.CPUs(x.CPUs),
		DiskBudget: request.Size(x.DiskBudget), Sessions: x.Sessions, Connect: x.Connect, Variant: request.Settings{}}
	for k, v := range x.Variant {
		if k != "accel" && k != "anyway" {
			a.Variant[k] = request.Values{v}
		}
	}
	for k, vs := range x.Vary {
		a.Variant[k] = vs
	}
	if x.Warmup >= 0 {
		a.Warmup = &x.Warmup
	}
	if x.Work {
		a.Work = request.Unrecorded
	}
	m.Asked, m.Early = a, nil
}
