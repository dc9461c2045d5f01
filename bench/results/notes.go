package results

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Before there were fields for it, a run's pause and its early end were notes.
const diedNote = "The run broke off"

// A function, so that a program that reads no folder links no package regexp.
func resumedNote() *regexp.Regexp {
	return regexp.MustCompile(`^The run was \w+(?: \w+)? after (\d+) trials?,? and [a-z ]+ on (\d{4}-\d\d-\d\d \d\d:\d\d UTC)\.( .+)?$`)
}

// readNotes makes fields of such notes of an early folder.
func (m *Manifest) readNotes() {
	m.Notes = slices.DeleteFunc(m.Notes, func(note string) bool {
		if why, ok := strings.CutPrefix(note, diedNote); ok {
			m.Died = cmp.Or(strings.Trim(why, ": ."), "?")
			return true
		}
		x := resumedNote().FindStringSubmatch(note)
		if x == nil {
			return false
		}
		trials, err := strconv.Atoi(x[1])
		at, err2 := time.Parse("2006-01-02 15:04 MST", x[2])
		if err != nil || err2 != nil {
			return false
		}
		m.Resumed = append(m.Resumed, Resumed{At: at, Trials: trials, Cut: x[3] != ""})
		return true
	})
}
