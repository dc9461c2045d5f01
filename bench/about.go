package bench

import (
	"slices"
	"time"

	"lab/bench/results"
)

// An About is what an environment says about itself, so that nobody else needs
// a list of names: the command, doctor, scenarios and reports ask here.
type About struct {
	// What reports need; it is copied into the manifest.
	results.Environment

	Needs string // what a machine must have, in words: "root, QEMU"
	More  string // what lab explain adds, in paragraphs; "" is nothing
	Rests []Rest // doctor's checks that it can't run without

	Settings []Setting // what it can be varied by; AboutAll asks for them

	// Groups are short names that --env takes for all that bear them: "runtimes".
	Groups []string

	// Kernel is how the command line begins of the machine's process that is the kernel
	// inside, and hides the workload: "qemu-system-"; "" if the workload is one itself.
	Kernel string

	// Patience is how much longer than of others a trial of it may take, whose start
	// takes minutes.
	Patience time.Duration

	Extra     bool // one more to compare with: if it can't run here nothing is amiss
	Default   bool // scenarios measure it where no environment was named
	Slow      bool // a start takes seconds: fewer trials, and no calibration
	Long      bool // a start boots a whole distribution, a minute where it is emulated: at most as many trials as an interval needs
	Apart     bool // an instance can't run in the lab's own process: lab exec starts a worker, as lab run does
	HostFiles bool // a program inside sees the machine's own files, under their own names
}

// A Rest is a check of doctor's (package machine) that an environment rests on.
type Rest struct {
	Check   string // its name: "overlayfs"
	Variant string // "net=bridge": only what has this setting rests on it; "": all of it does
}

// RestsOn makes a list of what all of an environment rests on.
func RestsOn(checks ...string) (out []Rest) {
	for _, c := range checks {
		out = append(out, Rest{Check: c})
	}
	return out
}

// Has says whether an environment has a setting, which allows these values.
func (a About) Has(setting string, values ...string) bool {
	return slices.ContainsFunc(a.Settings, func(s Setting) bool {
		return s.Name == setting && (len(s.Values) == 0 || !slices.ContainsFunc(values, func(v string) bool { return !slices.Contains(s.Values, v) }))
	})
}

// Can says whether an environment has all of these settings, and allows these
// values.
func (a About) Can(set map[string]string) bool {
	for name, v := range set {
		if !a.Has(name, v) {
			return false
		}
	}
	return true
}

// AboutAll is what each environment says about itself, in the same order. Their numbers, by
// which they have their colours, begin with those that are measured where none was named:
// these are seen side by side most often, and there are fewer colours than environments.
func AboutAll(envs []Environment) (out []About) {
	for _, e := range envs {
		a := e.About()
		a.Name, a.Settings = e.Name(), e.Settings()
		out = append(out, a)
	}
	n := 0
	for _, first := range []bool{true, false} {
		for i := range out {
			if out[i].Default == first {
				n++
				out[i].Number = n
			}
		}
	}
	return out
}
