package analysis

import (
	"fmt"
	"slices"
	"strings"

	"lab/bench/results"
	"lab/reports/msg"
)

// NotesOf is what a run wants said in every report: its own notes, and how it was
// interrupted and resumed.
func NotesOf(m *results.Manifest) []string {
	out := slices.Clone(m.Notes)
	for _, r := range m.Resumed {
		text := fmt.Sprintf("The run was interrupted after %s and resumed on %s.", msg.Plural(r.Trials, "trial"), r.At.UTC().Format("2006-01-02 15:04 MST"))
		if r.Cut {
			text += " One trial hadn't been written completely and was repeated."
		}
		out = append(out, text)
	}
	if m.Died != "" {
		out = append(out, "The run ended early: "+m.Died+".")
	}
	return out
}

// WasResumed says whether a run's time has a pause in it. Before there was a
// field for it, the lab wrote a note.
func WasResumed(m *results.Manifest) bool {
	return len(m.Resumed) > 0 || slices.ContainsFunc(m.Notes, func(n string) bool { return strings.Contains(n, "gone on with on") })
}
