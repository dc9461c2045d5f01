// Package chaos kills launchers with SIGKILL at random points of their lives, and says
// what they leave: the lab's own environments, and those of others.
//
// One process is killed at a time, a part of the victim: the client that the user
// started, as a terminal that is closed, an out-of-memory killer or an impatient hand
// would; a daemon, a shim or a runtime below it; the workload itself. What is left is
// looked at twice: some seconds later, and after the next start of the same victim, as
// many clean up only then. Then it is taken away.
//
// A [Scene] is where that happens. The lab's own environments are killed on the machine
// itself, and there only what bears their mark counts. Other people's launchers live in a
// testbed of their own ([Run.Private]): whatever is new in it they have made, it is no
// machine of anybody's, and with its first process all of it ends.
//
// chaos.go is what comes out of it, scene.go how it is done, apart.go how many times in a
// process of its own, victim.go whom it is done to, and look.go how it is seen.
package chaos

import (
	"slices"
	"time"

	"lab/bench/residue"
)

// Patience is how long after the kill, or after the workload's own end, something may
// still be there.
const Patience = 2 * time.Second

// Parts that every victim has.
const (
	Nobody   = "nobody"   // the control: nothing is killed
	Client   = "client"   // the process that the user has started
	Workload = "workload" // the program that runs apart from others
)

// A Killing is one kill, and what it left.
type Killing struct {
	Struck bool           `json:"struck"`                // false: the part wasn't there any more
	After  time.Duration  `json:"after_ns"`              // the start
	Gone   time.Duration  `json:"gone_ns"`               // until nothing was left; valid if Left is empty
	Left   []residue.Item `json:"left,omitempty"`        // Patience later
	Next   []residue.Item `json:"next,omitempty"`        // after the next start
	Failed string         `json:"next_failed,omitempty"` // how that failed; "": it didn't

	// Spoiled says that the victim's own commands couldn't take it all away, and that the
	// scene is to be thrown away.
	Spoiled bool `json:"spoiled,omitempty"`
}

// A Row is what one victim left when one of its parts was killed.
type Row struct {
	Victim string `json:"victim"`
	Part   string `json:"part"`
	NotRun string `json:"not_run,omitempty"` // why
	Kills  int    `json:"kills"`
	Missed int    `json:"missed,omitempty"` // the part wasn't there; they aren't kills
	Clean  int    `json:"clean"`            // after so many nothing was left
	Short  bool   `json:"short,omitempty"`  // the time was over before all kills were made

	// Left is after how many kills something of a kind was there, and Next after how many
	// still after the next start, which failed Failed times.
	Left   map[residue.Kind]int `json:"left"`
	Next   map[residue.Kind]int `json:"next"`
	Failed int                  `json:"next_failed,omitempty"`

	Examples []residue.Item `json:"examples,omitempty"`      // of the last kill that left something
	Later    []residue.Item `json:"examples_next,omitempty"` // of the last that left something after the next start
	Failure  string         `json:"failure,omitempty"`       // of the last next start that failed

	// Remain is what was on the machine when the testbed was gone: nothing ever should.
	Remain []residue.Item `json:"not_removed,omitempty"`

	// Gone is how long it took until nothing was left, at the most, where nothing was.
	Gone time.Duration `json:"gone_ns"`
}

// NewRow is a row without kills.
func NewRow(victim, part string) Row {
	return Row{Victim: victim, Part: part, Left: map[residue.Kind]int{}, Next: map[residue.Kind]int{}}
}

// Add counts a kill.
func (r *Row) Add(k Killing) {
	if !k.Struck {
		r.Missed++
		return
	}
	r.Kills++
	if k.Failed != "" {
		r.Failed++
		r.Failure = k.Failed
	}
	if len(k.Left) == 0 {
		r.Clean++
		r.Gone = max(r.Gone, k.Gone)
	} else {
		r.Examples = k.Left
	}
	if len(k.Next) > 0 {
		r.Later = k.Next
	}
	count(r.Left, k.Left)
	count(r.Next, k.Next)
}

// count counts each kind of thing once.
func count(into map[residue.Kind]int, items []residue.Item) {
	seen := map[residue.Kind]bool{}
	for _, i := range items {
		if !seen[i.Kind] {
			seen[i.Kind] = true
			into[i.Kind]++
		}
	}
}

// Done says whether a row has all its kills, or as many attempts as are made for them.
func (r *Row) Done(kills int) bool { return r.Kills >= kills || r.Kills+r.Missed >= 4*kills }

// Kinds are those that some row has, in order.
func Kinds(rows []Row) (out []residue.Kind) {
	for _, k := range kinds {
		if slices.ContainsFunc(rows, func(r Row) bool { return r.Left[k]+r.Next[k] > 0 }) {
			out = append(out, k)
		}
	}
	return out
}
