package analysis

import (
	"maps"
	"slices"
	"strings"

	"lab/bench/results"
	"lab/reports/msg"
)

// note says what is different, and what can't be told.
func (m *Machines) note() {
	say := func(id string, args ...any) { m.Notes = append(m.Notes, msg.T(id, args...)) }
	runs := m.runs()
	several, unknown, kinds := 0, 0, 0
	for _, k := range m.Machines {
		if m.Many() {
			several += min(len(k.Runs)-1, 1)
			if k.Facts.ID == "" {
				unknown++
			} else if strings.HasPrefix(k.Facts.ID, "kind-") {
				kinds++
			}
			continue
		}
		if len(k.Runs) > 1 {
			say("machines.several-runs", k.Name, len(k.Runs))
		}
		switch {
		case k.Facts.ID == "":
			say("machines.no-id", k.Name)
		case strings.HasPrefix(k.Facts.ID, "kind-"):
			say("machines.kind-id", k.Name)
		}
	}
	for _, x := range []struct {
		id string
		n  int
	}{{"machines.several-runs-of", several}, {"machines.no-id-of", unknown}, {"machines.kind-id-of", kinds}} {
		if x.n > 0 {
			say(x.id, msg.T("machines", x.n))
		}
	}
	var shared msg.Gathered
	for _, k := range m.Machines {
		if k.Runs[0].Host != "" {
			shared.Add(msg.Verbatim(k.Facts.ID), k.Name)
		}
	}
	for id, machines := range shared.All() {
		if len(machines) > 1 {
			say("machines.shared-id", whose(machines))
		}
		// A folder that no fleet has may be of one of them, or of another copy.
		for _, k := range m.Machines {
			if k.Runs[0].Host == "" && k.Facts.ID == id.String() {
				say("machines.shared-outside", k.Name, whose(machines))
			}
		}
	}
	if len(m.Machines) == 1 {
		say("machines.single", msg.T("runs", runs))
	} else {
		say("machines.spread")
	}
	for _, x := range []struct {
		say func(whose msg.Message)
		of  func(*results.Run) string
	}{
		{func(w msg.Message) { say("machines.labs", w) }, func(r *results.Run) string { return r.Manifest.Lab }},
		{func(w msg.Message) { say("machines.images", w) }, func(r *results.Run) string { return shortDigest(r.Manifest.Image) }},
		{func(w msg.Message) { say("machines.workloads", w) }, func(r *results.Run) string { return shortDigest(r.Manifest.Workload) }},
		{func(w msg.Message) { say("machines.kernels", w) }, func(r *results.Run) string {
			if r.Manifest.Kernel == (results.Digested{}) {
				return ""
			}
			return shortDigest(r.Manifest.Kernel)
		}},
	} {
		var who msg.Gathered
		for _, k := range m.Machines {
			for _, a := range k.Runs {
				if v := x.of(a.Run); v != "" {
					who.Add(msg.Verbatim(v), k.Name)
				}
			}
		}
		var parts []msg.Message
		for v, machines := range who.All() {
			parts = append(parts, msg.T("machines.whose", v, whose(machines)))
		}
		if len(parts) > 1 {
			slices.SortFunc(parts, func(a, b msg.Message) int { return strings.Compare(a.String(), b.String()) })
			x.say(msg.Join("join.semicolon", parts...))
		}
	}
	for _, g := range m.Groups {
		for _, d := range g.settings() {
			say("machines.settings", g.Title(), d)
		}
	}
	m.gather(func(a *Analysis) (out []msg.Message) {
		for _, c := range a.Cells {
			if c.NotRun != nil {
				out = append(out, msg.T("sentence", msg.T("was", c.Name, NotRun(c))))
			}
		}
		return append(out, a.Banners()...)
	})
}

// whose names machines, or counts them if they are many.
func whose(machines []msg.Message) msg.Message {
	if len(machines) > Many {
		return msg.T("machines", len(machines))
	}
	return msg.Join("join.comma", machines...)
}

// gather notes what holds of some runs, each text once, with the machines.
func (m *Machines) gather(of func(*Analysis) []msg.Message) {
	var said msg.Gathered
	for _, k := range m.Machines {
		for _, a := range k.Runs {
			for _, t := range of(a) {
				said.Add(t, k.Name)
			}
		}
	}
	for t, machines := range said.All() {
		m.Notes = append(m.Notes, msg.T("machines.gathered", whose(machines), t))
	}
}

// settings lists those in which the entries' settings differ, with the values.
func (g *MachineGroup) settings() []msg.Message {
	values := map[string][]string{}
	const most = 12 // of a setting's values that are named
	for _, e := range g.Entries {
		if e.Cell.NotRun != nil {
			continue
		}
		for k, v := range e.Cell.Settings {
			if k != "kernel" && len(values[k]) <= most && !slices.Contains(values[k], v) { // a path; it stands there by digest
				if len(values[k]) == most {
					v = "…"
				}
				values[k] = append(values[k], v)
			}
		}
	}
	var out []msg.Message
	for _, k := range slices.Sorted(maps.Keys(values)) {
		if len(values[k]) > 1 {
			out = append(out, msg.T("machines.setting", k, msg.And(msg.All(values[k])...)))
		}
	}
	return out
}
