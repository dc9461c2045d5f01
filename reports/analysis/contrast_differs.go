package analysis

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"lab/bench/results"
	"lab/reports/msg"
)

// A Difference is something in which the conditions of two runs differ; ""
// where one of them hasn't got it.
type Difference struct {
	What msg.Message
	A, B string
}

// restless are facts that differ between any two runs, and are no condition.
var restless = []string{"load", "acceleration.reason", "acceleration.kvm", "acceleration.tcg"}

// differences finds what differs between two runs' machines and settings.
func differences(a, b *results.Run) []Difference {
	var out []Difference
	add := func(what msg.Message, x, y string) {
		if x != y {
			out = append(out, Difference{what, x, y})
		}
	}
	x, y := facts(a.Machine), facts(b.Machine)
	names := maps.Clone(x)
	maps.Copy(names, y)
	for _, k := range slices.Sorted(maps.Keys(names)) {
		if !slices.ContainsFunc(restless, func(r string) bool { return strings.HasPrefix(k, r) }) {
			add(msg.T("differs.machine", strings.NewReplacer("_", " ", ".", " ").Replace(k)), x[k], y[k])
		}
	}
	if math.Abs(a.Machine.Load-b.Machine.Load) >= 0.5 {
		add(msg.T("differs.machine", msg.T("machine.load")), msg.Number(a.Machine.Load, 2), msg.Number(b.Machine.Load, 2))
	}
	m, n := a.Manifest, b.Manifest
	add(msg.Verbatim("lab"), m.Lab, n.Lab)
	add(msg.T("image"), shortDigest(m.Image), shortDigest(n.Image))
	add(msg.T("workload"), shortDigest(m.Workload), shortDigest(n.Workload))
	add(msg.T("guest-kernel"), shortDigest(m.Kernel), shortDigest(n.Kernel))
	add(msg.Verbatim("--accel"), m.Accel, n.Accel)
	add(msg.Verbatim("--quick"), fmt.Sprint(m.Quick), fmt.Sprint(n.Quick))
	add(msg.Verbatim("--paired"), pairedOn(m), pairedOn(n))
	for _, c := range m.Cells {
		for _, d := range n.Cells {
			if c.Label() == d.Label() {
				out = append(out, settingsOf(&Cell{Cell: c}, &Cell{Cell: d})...)
			}
		}
	}
	return out
}

// pairedOn is on which processors a run's pairs ran, "" if it has none.
func pairedOn(m results.Manifest) string {
	if m.Paired == nil {
		return ""
	}
	return strings.Join(m.Paired.CPUs, " + ")
}

// settingsOf finds what differs in two cells' settings and steps.
func settingsOf(p, q *Cell) []Difference {
	var out []Difference
	label := msg.Verbatim(p.Label())
	if q.Label() != p.Label() {
		label = msg.T("contrast.rows", p.Label(), q.Label())
	}
	add := func(what msg.Message, x, y string) {
		if x != y {
			out = append(out, Difference{msg.T("join.colon", label, what), x, y})
		}
	}
	names := maps.Clone(p.Settings)
	if names == nil {
		names = map[string]string{}
	}
	maps.Copy(names, q.Settings)
	for _, k := range slices.Sorted(maps.Keys(names)) {
		// What another environment hasn't got at all is in its steps.
		_, inP := p.Settings[k]
		_, inQ := q.Settings[k]
		// A path; which bytes it names is compared by digest, which early labs had for the
		// whole run.
		if k == "kernel" || k == results.KernelDigest && !(inP && inQ) {
			continue
		}
		if p.Env == q.Env || inP && inQ {
			add(msg.Verbatim(k), p.Settings[k], q.Settings[k])
		}
	}
	if p.NotRun == nil && q.NotRun == nil {
		add(msg.T("before-the-clock"), strings.Join(p.Prepare, ", "), strings.Join(q.Prepare, ", "))
		add(msg.T("on-the-clock"), strings.Join(p.Start, ", "), strings.Join(q.Start, ", "))
	}
	return out
}

// facts takes machine.json apart: "acceleration.use" to "kvm". Whatever field
// it will have, it is compared.
func facts(m results.Machine) map[string]string {
	data, err := json.Marshal(m)
	if err != nil {
		return nil
	}
	var v map[string]any
	if json.Unmarshal(data, &v) != nil {
		return nil
	}
	out := map[string]string{}
	flatten("", v, out)
	return out
}

func flatten(name string, v any, out map[string]string) {
	switch v := v.(type) {
	case nil:
	case map[string]any:
		for k, w := range v {
			flatten(strings.TrimPrefix(name+"."+k, "."), w, out)
		}
	case []any:
		var words []string
		for _, w := range v {
			words = append(words, fmt.Sprint(w))
		}
		out[name] = strings.Join(words, "; ")
	case float64:
		if out[name] = msg.Number(v, 3); v == math.Trunc(v) {
			out[name] = fmt.Sprintf("%.0f", v)
		}
	default:
		out[name] = fmt.Sprint(v)
	}
}
