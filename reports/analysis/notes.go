package analysis

import (
	"slices"
	"strings"

	"lab/bench/results"
	"lab/reports/msg"
)

// NotesOf is what a run wants said in every report: its own notes, and how it was
// interrupted and resumed.
func NotesOf(m *results.Manifest) []msg.Message {
	out := msg.All(m.Notes)
	for _, r := range m.Resumed {
		id := "note.resumed"
		if r.Cut {
			id = "note.resumed-cut"
		}
		out = append(out, msg.T(id, msg.T("trials", r.Trials), r.At.UTC().Format("2006-01-02 15:04 MST")))
	}
	if m.Died != "" {
		out = append(out, msg.T("note.died", m.Died))
	}
	return out
}

// WasResumed says whether a run's time has a pause in it. Before there was a
// field for it, the lab wrote a note.
func WasResumed(m *results.Manifest) bool {
	return len(m.Resumed) > 0 || slices.ContainsFunc(m.Notes, func(n string) bool { return strings.Contains(n, "gone on with on") })
}
