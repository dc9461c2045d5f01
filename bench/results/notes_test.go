package results

import (
	"slices"
	"testing"
	"time"
)

// What an early folder's notes say is in fields when it is read.
func TestNotesBecomeFields(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 0, 0, time.UTC)
	m := Manifest{Notes: []string{"kept",
		"The run was broken off after 12 trials, and gone on with on 2026-03-04 05:06 UTC. A trial that wasn't written to its end was made again.",
		"The run was interrupted after 1 trial and resumed on 2026-03-04 05:06 UTC.",
		"The run broke off: no space left on device."}}
	m.readNotes()
	if !slices.Equal(m.Notes, []string{"kept"}) || m.Died != "no space left on device" ||
		!slices.Equal(m.Resumed, []Resumed{{At: at, Trials: 12, Cut: true}, {At: at, Trials: 1}}) {
		t.Errorf("%q, %q, %+v", m.Notes, m.Died, m.Resumed)
	}
}
