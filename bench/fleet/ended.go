package fleet

import (
	"encoding/json"
	"io"
	"os"
	"slices"
	"strings"

	"lab/bench/clean"
)

// lastEvent is the last that a task said.
func (f *Fleet) lastEvent(h *Host) (e Event) {
	for _, line := range slices.Backward(strings.Split(f.lastOf(h, "log"), "\n")) {
		if json.Unmarshal([]byte(line), &e) == nil && (e.Scenario != "" || e.End) {
			return e
		}
		e = Event{}
	}
	return e
}

// lastOf is the end of what a task wrote, of a few KiB.
func (f *Fleet) lastOf(h *Host, kind string) string {
	in, err := f.open(h, kind)
	if err != nil {
		return ""
	}
	defer in.Close()
	const enough = 8 << 10
	if st, err := in.Stat(); err == nil && st.Size() > enough {
		in.Seek(-enough, io.SeekEnd)
	}
	data, _ := io.ReadAll(io.LimitReader(in, enough))
	return strings.TrimSpace(string(data))
}

// ended is why a task that ended has no results.
func (f *Fleet) ended(h *Host, j job) string {
	on := ""
	if j.node != "" {
		on = " (" + j.node + ")"
	}
	switch j.state {
	case "":
		return "Slurm doesn't know its job any more, and no results came"
	case "CANCELLED":
		return "its job was cancelled" + on
	case "TIMEOUT", "DEADLINE":
		return "Slurm's time limit came in the middle" + on
	case "NODE_FAIL", "BOOT_FAIL":
		return "its node failed" + on
	case "PREEMPTED":
		return "its job was preempted" + on
	case "OUT_OF_MEMORY":
		return "its job ran out of memory" + on
	}
	if e := f.lastEvent(h); e.End && e.Err != "" {
		return strings.TrimPrefix(clean.Line(e.Err), "lab: ") + on
	}
	if text := f.lastOf(h, "out"); text != "" {
		return fault(lastLine(text)) + on
	}
	if _, err := os.Stat(f.taskFile(h, "out")); err != nil {
		return "its node wrote nothing into the fleet's folder; fix: --out in a folder that all nodes see" + on
	}
	return "its task ended early" + on
}
